//! Decoding requests and encoding replies, as the server does it for every operation.

use std::hint::black_box;

use bytes::BytesMut;
use proto::{
    GetDataRequest, GetDataResponse, Record, ReplyHeader, Request, RequestHeader, SetDataRequest,
    SetDataResponse, Stat, put_frame,
};

use crate::Operation;

pub(crate) const OPERATIONS: &[Operation] = &[
    ("decode-get", decode_get),
    ("decode-set", decode_set),
    ("encode-get-reply", encode_get_reply),
    ("encode-set-reply", encode_set_reply),
];

const PATH: Option<&str> = Some("/bench/keys/000007/00001007");
const DATA: Option<&[u8]> = Some(&[7; 100]);

fn decode_get(times: u32) {
    decode(times, &Request::GetData(GetDataRequest { path: PATH, watch: false }));
}

fn decode_set(times: u32) {
    decode(times, &Request::SetData(SetDataRequest { path: PATH, data: DATA, version: -1 }));
}

fn decode(times: u32, request: &Request<'_>) {
    let mut frame = BytesMut::new();
    request.encode(1, &mut frame);
    for _ in 0..times {
        let frame = black_box(&frame[..]);
        let header = RequestHeader::from_bytes(frame).expect("it was just encoded");
        let body = &frame[RequestHeader::BYTES_MIN..];
        black_box(Request::decode(header.op, body).expect("it was just encoded"));
    }
}

fn encode_get_reply(times: u32) {
    let response = GetDataResponse { data: DATA, stat: stat() };
    encode(times, |out| response.encode(out));
}

fn encode_set_reply(times: u32) {
    let response = SetDataResponse { stat: stat() };
    encode(times, |out| response.encode(out));
}

fn encode(times: u32, body: impl Fn(&mut BytesMut)) {
    let mut out = BytesMut::with_capacity(1024);
    for time in 0..times {
        out.clear();
        put_frame(&mut out, |out| {
            ReplyHeader { xid: 1, zxid: i64::from(time), err: 0 }.encode(out);
            body(out);
        });
        black_box(&out);
    }
}

fn stat() -> Stat {
    black_box(Stat {
        czxid: 1,
        mzxid: 2,
        ctime: 3,
        mtime: 4,
        version: 5,
        cversion: 6,
        aversion: 7,
        ephemeral_owner: 0,
        data_length: 100,
        num_children: 0,
        pzxid: 1,
    })
}
