//! A client's reconfig, as text: which servers come of it.

use crate::Seed;

/// Judges it against three servers.
pub fn check(input: &[u8]) {
    server::fuzzing::reconfig(input);
}

/// One of each form.
pub fn seeds() -> Vec<Seed> {
    let seeds: [(&str, &[u8]); 4] = [
        ("joining", b"\x09server.4=a:1:2:observer;b:3 ,5=[2001:db8::7]:1:2|d:5:6;3"),
        ("leaving", b"\x02\0 3 , 9"),
        ("both", b"\x0bserver.2=10.0.0.2:2888:3888;2182\x002,3"),
        ("members", b"\x04\0\0server.1=a:1:2;3\nserver.2=b:1:2,version=100000003"),
    ];
    seeds.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).to_vec()
}
