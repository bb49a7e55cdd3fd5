//! The comparison must see what differs and must not see what may differ.

use super::{Event, Observation, Value, compare};

fn seen(step: usize, event: Event, values: &[(&str, Value)]) -> Observation {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Observation { step, connection: "a".to_owned(), event, values }
}

fn write(step: usize, zxid: i64) -> Observation {
    seen(step, Event::Reply("create /p".to_owned()), &[("zxid", Value::Zxid(zxid))])
}

fn read(step: usize, zxid: i64, more: &[(&str, Value)]) -> Observation {
    let mut read =
        seen(step, Event::Reply("exists /p".to_owned()), &[("zxid", Value::Progress(zxid))]);
    read.values.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    read
}

fn watch(zxid: i64, path: &str) -> Observation {
    let path = Value::Text(Some(path.to_owned()));
    seen(9, Event::Watch, &[("zxid", Value::Zxid(zxid)), ("path", path)])
}

#[track_caller]
fn differ(expected: &[Observation], actual: &[Observation], why: &str) {
    let difference = compare(expected, actual).expect_err("they differ");
    assert!(difference.what.contains(why), "{difference}");
}

#[test]
fn zxids_may_be_others_but_stand_for_the_same_changes_in_order() {
    let expected = [write(0, 5), write(1, 6), read(2, 6, &[("czxid", Value::Zxid(5))])];
    let moved = [write(0, 1005), write(1, 1010), read(2, 1012, &[("czxid", Value::Zxid(1005))])];
    assert_eq!(compare(&expected, &moved), Ok(()));

    let other = [write(0, 1005), write(1, 1010), read(2, 1012, &[("czxid", Value::Zxid(1010))])];
    differ(&expected, &other, "czxid");
    differ(&expected[..2], &[write(0, 1005), write(1, 1004)], "out of order");
    differ(&expected[..2], &[write(0, 1005), write(1, 1005)], "same change");
    let behind = [write(0, 1005), write(1, 1010), read(2, 1009, &[("czxid", Value::Zxid(1005))])];
    differ(&expected, &behind, "between other changes");
    differ(&[write(0, -1)], &[write(0, 7)], "expected -1, got 7");
    differ(&[write(0, 7)], &[write(0, 0)], "expected 7, got 0");
}

#[test]
fn sessions_stand_for_each_other() {
    let owned = |id| read(0, 5, &[("owner", Value::Session(id))]);
    assert_eq!(compare(&[owned(1), owned(2), owned(0)], &[owned(7), owned(8), owned(0)]), Ok(()));
    differ(&[owned(1), owned(2)], &[owned(7), owned(7)], "not the same session");
    differ(&[owned(1), owned(1)], &[owned(7), owned(8)], "not the same session");
    differ(&[owned(0)], &[owned(7)], "owner");
}

#[test]
fn each_server_has_one_time_for_one_change() {
    let at = |zxid, millis| read(0, 9, &[("ctime", Value::Time { zxid, millis })]);
    assert_eq!(compare(&[at(5, 100), at(5, 100)], &[at(5, 333), at(5, 333)]), Ok(()));
    differ(&[at(5, 100), at(5, 100)], &[at(5, 333), at(5, 334)], "ctime");
    differ(&[at(5, 100)], &[at(5, 0)], "ctime");
}

#[test]
fn what_is_missing_or_too_much_or_another_is_seen() {
    differ(&[write(0, 5), write(1, 6)], &[write(0, 5)], "less");
    differ(&[write(0, 5)], &[write(0, 5), write(1, 6)], "more");
    let refusal = seen(0, Event::Refusal("create /p".to_owned(), -101), &[]);
    differ(&[write(0, 5)], &[refusal], "not the same");
    differ(&[write(0, 5)], &[seen(0, Event::Closed, &[])], "not the same");
    let set = |names: &[&str]| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        read(0, 5, &[("names", Value::Set(Some(names)))])
    };
    differ(&[set(&["a", "b"])], &[set(&["a"])], "names");
    let bytes =
        |data: Option<&[u8]>| read(0, 5, &[("data", Value::Bytes(data.map(<[u8]>::to_vec)))]);
    differ(&[bytes(None)], &[bytes(Some(b""))], "data");
}

#[test]
fn only_the_events_at_the_end_of_a_session_come_in_any_order() {
    // zxid 6 is nobody's write: a session ended.
    let expected = [write(0, 5), watch(6, "/x"), watch(6, "/y")];
    let swapped = [write(0, 5), watch(6, "/y"), watch(6, "/x")];
    assert_eq!(compare(&expected, &swapped), Ok(()));
    differ(&expected, &[write(0, 5), watch(6, "/x"), watch(6, "/x")], "path");

    // zxid 5 is a client's own multi.
    let expected = [watch(5, "/x"), watch(5, "/y"), write(9, 5)];
    let swapped = [watch(5, "/y"), watch(5, "/x"), write(9, 5)];
    differ(&expected, &swapped, "path");
    // Catch-up events have no zxid and come in the order of the lists.
    differ(&[watch(-1, "/x"), watch(-1, "/y")], &[watch(-1, "/y"), watch(-1, "/x")], "path");
}
