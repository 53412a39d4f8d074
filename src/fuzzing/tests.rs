//! Each property on a few inputs: what fuzzing begins with, changed a little, and bytes at random.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

use super::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// What fuzzing a target begins with: an input a line, in which `\n`, `\\` and `\xff` stand for bytes.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    fs::read_to_string(fuzz().join("seeds").join(target)).unwrap().lines().map(read).collect()
}

fn read(line: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), line.bytes());
    while let Some(byte) = rest.next() {
        match (byte, byte == b'\\') {
            (_, true) => bytes.push(match rest.next().unwrap() {
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                b'n' => b'\n',
                other => other,
            }),
            (byte, false) => bytes.push(byte),
        }
    }
    bytes
}

/// Seeds, some of their bytes replaced, dropped or put twice; and any bytes.
fn inputs(target: &str) -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![prop::collection::vec(any::<u8>(), 0..4), "\\PC{0,3}".prop_map(String::into_bytes)];
    let changes = prop::collection::vec((any::<Index>(), 0..4_usize, pieces), 0..4);
    let near = (select(seeds(target)), changes).prop_map(|(mut input, changes)| {
        for (place, length, piece) in changes {
            let start = place.index(input.len() + 1);
            let end = input.len().min(start + length);
            input.splice(start..end, piece);
        }
        input
    });
    prop_oneof![4 => near, 1 => prop::collection::vec(any::<u8>(), 0..120)]
}

#[test]
fn what_must_hold_of_each_reader_holds_for_a_few_inputs() {
    let mut faults = Vec::new();
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            if catch_unwind(|| target(&seed)).is_err() {
                faults.push(format!("{name}: {:?}", String::from_utf8_lossy(&seed)));
            }
        }
        // 256 cases, or what PROPTEST_CASES says.
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let tried = TestRunner::new(config).run(&inputs(name), |input| {
            target(&input);
            Ok(())
        });
        faults.extend(tried.err().map(|error| format!("{name}: {error}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_target_of_the_fuzzer_is_one_of_these_and_has_seeds() {
    let named: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = |folder: &str| -> BTreeSet<String> {
        let files = fs::read_dir(fuzz().join(folder)).unwrap().map(|file| file.unwrap().path());
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(files("fuzz_targets"), named);
    assert_eq!(files("seeds"), named);
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let listed = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned());
    assert_eq!(listed.collect::<BTreeSet<_>>(), named);
    for name in named {
        let text = fs::read_to_string(fuzz().join("fuzz_targets").join(&name).with_extension("rs")).unwrap();
        assert!(text.contains(&format!("doorward::fuzzing::{name}(")), "{name} calls another one");
    }
}
