//! One connection on one line: `cons`, and the middle of `stat`.

use std::fmt::Write;

use tree::SessionId;

use crate::admin::observed::{ConnectionView, ServerObserved};

/// What `cons` answers.
pub(super) fn cons(server: &dyn ServerObserved) -> String {
    let mut out = String::new();
    for connection in server.connections() {
        out.push_str(&in_short(&connection));
        if connection.session != SessionId::NONE {
            out.push_str(&in_detail(&connection));
        }
        out.push_str(")\n");
    }
    out.push('\n');
    out
}

fn in_detail(connection: &ConnectionView) -> String {
    let stats = &connection.stats;
    let last = stats.last.as_ref();
    let mut out = format!(
        ",sid={},lop={},est={},to={}",
        connection.session,
        last.map_or("NA", |last| operation(last.op)),
        stats.established_ms,
        connection.timeout_ms,
    );
    // None before the first request with a number of the client's.
    if let Some(last) = last.filter(|last| last.xid >= 0) {
        let _ = write!(out, ",lcxid={:#x}", last.xid);
    }
    let latency = &stats.latency;
    let _ = write!(
        out,
        ",lzxid={},lresp={},llat={},minlat={},avglat={},maxlat={}",
        last.map_or(tree::Zxid(u64::MAX.cast_signed()), |last| last.zxid),
        last.map_or(0, |last| last.answered_ms),
        last.map_or(0, |last| last.latency_ms),
        latency.min,
        latency.sum.checked_div(latency.count).unwrap_or(0),
        latency.max,
    );
    out
}

/// ZooKeeper's short name of an operation.
pub fn operation(op: i32) -> &'static str {
    match op {
        0 => "NOTI",
        1 | 15 | 19 | 21 => "CREA",
        2 | 20 => "DELE",
        3 => "EXIS",
        4 => "GETD",
        5 => "SETD",
        6 => "GETA",
        7 => "SETA",
        8 => "GETC",
        9 => "SYNC",
        11 => "PING",
        12 => "GETC",
        13 => "CHEC",
        14 => "MULT",
        16 => "RECO",
        17 => "CHKW",
        18 => "REMW",
        22 => "MLTR",
        101 => "SETW",
        102 => "SASL",
        103 => "GETE",
        104 => "GETACN",
        105 => "STW2",
        106 => "ADDW",
        107 => "HOMI",
        -10 => "SESS",
        -11 => "CLOS",
        -1 => "ERRO",
        _ => "UNKN",
    }
}

/// ` /127.0.0.1:1234[1](queued=0,recved=1,sent=1`, open for more.
pub(super) fn in_short(connection: &ConnectionView) -> String {
    let ConnectionView { interest, queued, stats, .. } = connection;
    let (remote, received, sent) = (connection.remote_text(), stats.received, stats.sent);
    format!(" /{remote}[{interest:x}](queued={queued},recved={received},sent={sent}")
}
