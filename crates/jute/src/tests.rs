//! Null rules, limits, and that nothing a peer sends makes decoding panic or reserve much.

use bytes::BytesMut;
use expect_test::expect;
use hex_literal::hex;
use proptest::prelude::*;

use super::*;

fn error<T: std::fmt::Debug>(decoded: Decoded<'_, T>) -> String {
    finish(decoded).unwrap_err().to_string()
}

#[test]
fn null_is_minus_one_and_differs_from_empty() {
    assert_eq!(nullable_buffer("f", &hex!("ffffffff")), Ok((&[][..], None)));
    assert_eq!(nullable_buffer("f", &hex!("00000000")), Ok((&[][..], Some(&[][..]))));
    assert_eq!(nullable_ustring("f", &hex!("00000002 6162")), Ok((&[][..], Some("ab"))));
    let items = nullable_vector("f", 4, &hex!("ffffffff"), |input| int("i", input));
    assert_eq!(items, Ok((&[][..], None)));
}

#[test]
fn compat_other_negative_counts_read_as_empty() {
    let items = nullable_vector("f", 4, &hex!("fffffffe"), |input| int("i", input));
    assert_eq!(items, Ok((&[][..], Some(vec![]))));
}

#[test]
fn errors_name_the_field_and_what_was_left() {
    expect!["field `path`: the bytes end too early (3 bytes left)"]
        .assert_eq(&error(int("path", &[1, 2, 3])));
    expect!["field `path`: unexpected null (4 bytes left)"]
        .assert_eq(&error(ustring("path", &hex!("ffffffff"))));
    expect!["field `path`: impossible length -2 (4 bytes left)"]
        .assert_eq(&error(ustring("path", &hex!("fffffffe"))));
    expect!["field `path`: text is not UTF-8 (5 bytes left)"]
        .assert_eq(&error(ustring("path", &hex!("00000001 ff"))));
}

#[test]
fn a_count_that_cannot_fit_is_refused_before_anything_is_reserved() {
    expect!["field `acl`: impossible length 2147483647 (8 bytes left)"].assert_eq(&error(vector(
        "acl",
        4,
        &hex!("7fffffff 00000000"),
        |input| int("i", input),
    )));
}

#[test]
fn a_run_of_fixed_fields_is_the_fields_one_by_one() {
    let mut run = BytesMut::new();
    put_fixed::<14>(&mut run, |run| {
        run.int(-2);
        run.boolean(true);
        run.long(i64::MAX);
        run.byte(9);
    });
    let mut single = BytesMut::new();
    put_int(&mut single, -2);
    put_boolean(&mut single, true);
    put_long(&mut single, i64::MAX);
    put_byte(&mut single, 9);
    assert_eq!(run, single);
}

proptest! {
    #[test]
    fn what_is_put_is_read(number in any::<i32>(), wide in any::<i64>(), flag in any::<bool>(),
            text in proptest::option::of(".*"), bytes in proptest::collection::vec(any::<u8>(), 0..50),
            list in proptest::collection::vec(any::<i32>(), 0..20)) {
        let mut out = BytesMut::new();
        put_int(&mut out, number);
        put_long(&mut out, wide);
        put_boolean(&mut out, flag);
        put_nullable_ustring(&mut out, text.as_deref());
        put_buffer(&mut out, &bytes);
        put_vector(&mut out, &list, |out, item| put_int(out, *item));
        let (rest, read) = finish(int("f", &out)).unwrap();
        prop_assert_eq!(read, number);
        let (rest, read) = finish(long("f", rest)).unwrap();
        prop_assert_eq!(read, wide);
        let (rest, read) = finish(boolean("f", rest)).unwrap();
        prop_assert_eq!(read, flag);
        let (rest, read) = finish(nullable_ustring("f", rest)).unwrap();
        prop_assert_eq!(read, text.as_deref());
        let (rest, read) = finish(buffer("f", rest)).unwrap();
        prop_assert_eq!(read, &bytes[..]);
        let (rest, read) = finish(vector("f", 4, rest, |input| int("i", input))).unwrap();
        prop_assert_eq!(read, list);
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = finish(nullable_ustring("f", &bytes));
        let _ = finish(nullable_buffer("f", &bytes));
        if let Ok((_, Some(items))) = finish(nullable_vector("f", 4, &bytes, |input| int("i", input))) {
            prop_assert!(items.capacity() <= bytes.len());
        }
    }
}
