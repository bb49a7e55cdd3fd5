//! What a real ZooKeeper answered: recorded conversations of two random clients with a
//! standalone 3.9.5 (`extendedTypesEnabled`, `enforceQuota`), in the script language.
//!
//! Every answer must be the same, zxids and Stats included, and so must the digests that
//! its `hash` word showed (the lines `# hash ZXID: DIGEST`).

use std::{collections::BTreeMap, fs, path::Path};

use crate::script::Scene;

#[test]
fn every_answer_and_digest_is_zookeepers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/zookeeper-3.9.5");
    let mut traces = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        replay(&fs::read_to_string(&path).expect("it is text"));
        traces += 1;
    }
    assert!(traces > 0);
}

fn replay(trace: &str) {
    let mut scene = Scene::new();
    let mut last = (0, String::new(), String::new());
    let mut wrong = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        if let Some(expected) = line.strip_prefix("    ") {
            if last.2 != expected {
                wrong.push(format!(
                    "{}: {}\n  is    {}\n  wants {expected}",
                    last.0, last.1, last.2
                ));
            }
        } else if !line.starts_with('#') {
            let answer = scene.run(line);
            let first = answer.lines().nth(1).unwrap_or_default().trim_start().to_owned();
            last = (number + 1, line.to_owned(), first);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
    let points: BTreeMap<i64, u64> =
        scene.state.digest_points().map(|(zxid, digest)| (zxid.0, digest)).collect();
    let recorded = trace.lines().filter_map(|line| line.strip_prefix("# hash "));
    let recorded: BTreeMap<i64, u64> = recorded.map(parse_point).collect();
    assert_eq!(points, recorded);
}

fn parse_point(text: &str) -> (i64, u64) {
    let (zxid, digest) = text.split_once(": ").expect("ZXID: DIGEST");
    (i64::from_str_radix(zxid, 16).expect("hex"), digest.parse().expect("a number"))
}
