//! The judge of recorded histories refuses those that no service as promised can have had. A net
//! that catches nothing would look like a service without faults.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use compat_tests::recorder::judge;

/// An operation with its results; what is not said is 0, empty or any.
fn line(client: u32, op: &str, time: (u64, u64), rest: &str) -> String {
    let (call, end) = time;
    format!(
        "{{\"client\":{client},\"key\":\"/k\",\"op\":\"{op}\",\"call\":{call},\"return\":{end},{rest}}}\n"
    )
}

fn created(time: (u64, u64), value: u32, zxid: u32) -> String {
    line(1, "create", time, &format!(r#""value":"{value}","result":"ok","zxid":{zxid}"#))
}

fn set(time: (u64, u64), (expect, value): (i32, u32), (version, zxid): (i32, u32)) -> String {
    let asked = format!(r#""value":"{value}","expect":{expect}"#);
    line(2, "set", time, &format!(r#"{asked},"result":"ok","version":{version},"zxid":{zxid}"#))
}

fn unknown(op: &str, call: u64, value: u32) -> String {
    line(4, op, (call, 0), &format!(r#""value":"{value}","expect":-1,"result":"unknown""#))
}

/// A read of client 3: a value with its version, its zxid, and the zxid of the reply.
fn read(
    op: &str,
    time: (u64, u64),
    (got, version): (u32, i32),
    (mzxid, zxid): (u32, u32),
) -> String {
    let what = format!(r#""got":"{got}","version":{version},"mzxid":{mzxid},"zxid":{zxid}"#);
    line(3, op, time, &format!(r#""result":"ok",{what}"#))
}

fn missing(op: &str, time: (u64, u64), zxid: u32) -> String {
    line(3, op, time, &format!(r#""result":"missing","zxid":{zxid}"#))
}

#[track_caller]
fn refused(history: &[String], why: &str) {
    let said = judge(&history.concat()).unwrap_err();
    assert!(said.contains(why), "{said}");
}

#[test]
fn what_may_happen_is_not_refused() {
    let history = [
        created((10, 20), 1, 5),
        set((30, 40), (0, 2), (1, 6)),
        // Plain reads may be old, if nobody on the same session saw more.
        read("peek", (50, 60), (1, 0), (5, 5)),
        read("read", (70, 80), (2, 1), (6, 6)),
        // Whether this happened shows later, or never.
        unknown("set", 90, 3),
        read("read", (100, 110), (2, 1), (6, 7)),
        read("read", (120, 130), (3, 2), (8, 8)),
        unknown("delete", 140, 0),
        missing("read", (150, 160), 9),
        unknown("create", 170, 4),
    ];
    let said = judge(&history.concat()).unwrap();
    assert_eq!(said, "10 operations on 1 keys, 3 of unknown outcome: as promised");
}

#[test]
fn an_acknowledged_write_that_is_lost_is_found() {
    let lost = [
        created((10, 20), 1, 5),
        set((30, 40), (-1, 2), (1, 6)),
        read("read", (50, 60), (1, 0), (5, 9)),
    ];
    refused(&lost, "not linearizable");
    refused(&lost, "not seen");
    refused(&[created((10, 20), 1, 5), missing("read", (30, 40), 5)], "not linearizable");
}

#[test]
fn a_read_behind_a_sync_that_is_old_is_found() {
    // Its server says honestly how far it is, which is not far enough.
    let stale = [
        created((10, 20), 1, 5),
        set((30, 40), (-1, 2), (1, 6)),
        read("read", (50, 60), (1, 0), (5, 5)),
    ];
    refused(&stale, "not linearizable");
    let plain = stale.map(|line| line.replace("\"read\"", "\"peek\""));
    judge(&plain.concat()).unwrap();
}

#[test]
fn a_write_that_is_applied_twice_is_found() {
    let twice = [
        created((10, 20), 1, 5),
        set((30, 40), (-1, 2), (1, 6)),
        read("read", (50, 60), (2, 2), (7, 7)),
    ];
    refused(&twice, "not linearizable");
}

#[test]
fn two_conditional_writes_that_both_succeed_are_found() {
    let both =
        [created((10, 20), 1, 5), set((30, 60), (0, 2), (1, 6)), set((35, 65), (0, 3), (1, 7))];
    refused(&both, "not linearizable");
}

#[test]
fn a_session_that_sees_the_past_is_found() {
    let history = [
        created((10, 20), 1, 5),
        set((30, 40), (-1, 2), (1, 6)),
        read("peek", (50, 60), (2, 1), (6, 6)),
        read("peek", (70, 80), (1, 0), (5, 5)),
    ];
    refused(&history, "a session saw the past");
}

#[test]
fn a_read_that_leaves_out_what_came_before_its_zxid_is_found() {
    let history = [
        created((10, 20), 1, 5),
        set((30, 40), (-1, 2), (1, 6)),
        read("peek", (50, 60), (1, 0), (5, 6)),
    ];
    refused(&history, "not seen");
}

#[test]
fn zxids_that_go_back_or_come_twice_are_found() {
    refused(
        &[created((10, 20), 1, 7), set((30, 40), (-1, 2), (1, 6))],
        "a later write with a lower zxid",
    );
    refused(&[created((10, 20), 1, 7), set((30, 40), (-1, 2), (1, 7))], "two writes with one zxid");
}
