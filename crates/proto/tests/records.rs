//! Every record against its schema: encodings made from `jute-schemas/` alone must be taken,
//! and given back byte for byte. And no bytes at all may do harm.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use bytes::BytesMut;
use jute_codegen::{Module, Nullable, Sampler, Source};
use proptest::prelude::*;
use proto::*;

/// Runs an expression once for every record, with its name and its type.
macro_rules! every_record {
    ($each:ident: $($record:ident)*) => { $( $each!($record); )* };
    ($each:ident) => {
        every_record!($each:
            Acl AddWatchRequest AuthPacket CheckVersionRequest CheckWatchesRequest ClientInfo
            Create2Response CreateRequest CreateResponse CreateTtlRequest
            DeleteContainerRequest DeleteRequest ErrorResponse ExistsRequest ExistsResponse
            GetAclRequest GetAclResponse GetAllChildrenNumberRequest
            GetAllChildrenNumberResponse GetChildren2Response GetChildrenRequest
            GetChildrenResponse GetDataRequest GetDataResponse GetEphemeralsRequest
            GetEphemeralsResponse GetSaslRequest Id MultiHeader ReconfigRequest
            RemoveWatchesRequest ReplyHeader RequestHeader SetAclRequest SetAclResponse
            SetDataRequest SetDataResponse SetSaslResponse SetWatches SetWatches2 Stat
            SyncRequest SyncResponse WatcherEvent WhoAmIResponse)
    };
}

/// Elements of multis: operation number and record, of requests and of results.
const ELEMENTS: &[(i32, &str)] = &[
    (1, "CreateRequest"),
    (15, "CreateRequest"),
    (19, "CreateRequest"),
    (21, "CreateTtlRequest"),
    (2, "DeleteRequest"),
    (5, "SetDataRequest"),
    (13, "CheckVersionRequest"),
    (4, "GetDataRequest"),
    (8, "GetChildrenRequest"),
];
const RESULTS: &[(i32, Option<&str>)] = &[
    (1, Some("CreateResponse")),
    (15, Some("Create2Response")),
    (2, None),
    (5, Some("SetDataResponse")),
    (13, None),
    (4, Some("GetDataResponse")),
    (8, Some("GetChildrenResponse")),
];

struct Schemas {
    modules: Vec<Module>,
    nullable: Nullable,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../jute-schemas");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a schema");
    let parse = |name| jute_codegen::parse(&Source { name, text: &read(name) }).expect("valid");
    Schemas {
        modules: ["data.jute", "proto.jute"].map(parse).into(),
        nullable: Nullable::parse(&read("nullable.toml")).expect("valid"),
    }
});

fn sampler() -> Sampler<'static> {
    Sampler::new(&SCHEMAS.modules, &SCHEMAS.nullable)
}

fn encoded<'a>(record: &impl Record<'a>) -> BytesMut {
    let mut out = BytesMut::new();
    record.encode(&mut out);
    out
}

#[test]
fn no_record_is_left_out() {
    let sampler = sampler();
    let mut here = BTreeSet::new();
    macro_rules! note {
        ($record:ident) => {
            assert!(here.insert(stringify!($record)));
        };
    }
    every_record!(note);
    assert_eq!(here, sampler.classes().collect());
}

#[test]
fn the_smallest_encoding_is_as_long_as_a_record_says() {
    let sampler = sampler();
    macro_rules! measure {
        ($record:ident) => {
            let smallest = sampler.encoding(stringify!($record), &[]);
            assert_eq!(smallest.len(), $record::BYTES_MIN, stringify!($record));
        };
    }
    every_record!(measure);
}

/// A multi made of elements that are `bytes` behind a header of theirs.
fn multi(elements: impl IntoIterator<Item = (i32, Vec<u8>)>, err: i32) -> BytesMut {
    let mut out = BytesMut::new();
    for (op, bytes) in elements {
        out.extend(encoded(&MultiHeader { op, done: false, err }));
        out.extend(bytes);
    }
    out.extend(encoded(&MultiHeader { op: -1, done: true, err: -1 }));
    out
}

proptest! {
    #[test]
    fn what_the_schema_says_is_taken_and_given_back(choices: Vec<u8>) {
        let sampler = sampler();
        macro_rules! check {
            ($record:ident) => {
                let bytes = sampler.encoding(stringify!($record), &choices);
                let record = $record::from_exact_bytes(&bytes).expect(stringify!($record));
                prop_assert_eq!(encoded(&record), &bytes[..], "{}", stringify!($record));
            };
        }
        every_record!(check);
    }

    #[test]
    fn multis_are_taken_and_given_back(picks: Vec<(u8, Vec<u8>)>) {
        let sampler = sampler();
        let requests = picks.iter().map(|(pick, choices)| {
            let (op, class) = ELEMENTS[usize::from(*pick) % ELEMENTS.len()];
            (op, sampler.encoding(class, choices))
        });
        let bytes = multi(requests, -1);
        let mut again = BytesMut::new();
        MultiRequest::decode(&bytes).expect("a multi").encode(&mut again);
        prop_assert_eq!(&again, &bytes);
        let results = picks.iter().map(|(pick, choices)| {
            let (op, class) = RESULTS[usize::from(*pick) % RESULTS.len()];
            (op, class.map_or(Vec::new(), |class| sampler.encoding(class, choices)))
        });
        let bytes = multi(results, 0);
        let Ok(Response::Multi(response)) = Response::decode(14, &bytes) else {
            return Err(TestCaseError::fail("not a multi"));
        };
        let mut again = BytesMut::new();
        response.encode(&mut again);
        prop_assert_eq!(&again, &bytes);
    }

    /// Bytes that are not as we would write them (a boolean of 7, a count of -2) are taken
    /// too; the value that they mean is written in one way only.
    #[test]
    fn any_bytes_are_refused_or_mean_a_value(bytes: Vec<u8>, op in -12..110_i32) {
        macro_rules! check {
            ($record:ident) => {
                if let Ok(record) = $record::from_bytes(&bytes) {
                    let again = encoded(&record);
                    prop_assert_eq!($record::from_exact_bytes(&again), Ok(record));
                }
            };
        }
        every_record!(check);
        let _ = ConnectRequest::decode(&bytes);
        let _ = ConnectResponse::decode(&bytes);
        let _ = Request::decode(op, &bytes);
        let _ = Response::decode(op, &bytes);
    }

    /// A reservation for two billion items would end the process.
    #[test]
    fn a_huge_length_anywhere_reserves_nothing(choices: Vec<u8>, place: prop::sample::Index) {
        let sampler = sampler();
        macro_rules! check {
            ($record:ident) => {
                let mut bytes = sampler.encoding(stringify!($record), &choices);
                let at = place.index(bytes.len() - 3);
                bytes[at..at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
                let _ = $record::from_bytes(&bytes);
            };
        }
        every_record!(check);
    }
}
