//! Behaviour over time, as data: every `testdata/*.txt` holds scenes of commands with
//! their trace. `UPDATE_EXPECT=1` writes down what comes out.

use std::{fs, path::Path};

use expect_test::expect_file;

use crate::script::Scene;

/// A line of this many dashes and the text after it starts a new scene.
const SCENE: &str = "==== ";

#[test]
fn every_transcript_is_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).expect("it is text");
        expect_file![&path].assert_eq(&replay(&text));
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} transcripts found");
}

/// Runs the commands of a transcript and writes the answers below them.
fn replay(text: &str) -> String {
    let mut out = String::new();
    let mut scene = Scene::new();
    for line in text.lines() {
        let is_answer = line.starts_with("    ");
        if is_answer {
            continue;
        }
        if line.starts_with(SCENE) {
            scene = Scene::new();
        }
        if line.is_empty() || line.starts_with(SCENE) || line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        } else {
            out.push_str(&scene.run(line));
        }
    }
    out
}
