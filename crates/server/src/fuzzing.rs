//! What its users write and what clients send as text, put through the code that reads it: for
//! the fuzzer, which knows nothing of this crate's insides.
//!
//! Each check takes any bytes at all, and panics when they are read as something that does not
//! come back when it is written and read again; that they are refused is always right. Nothing
//! here asks for the address of a name, nor opens a file that the bytes name.

use std::{env, fs, net::IpAddr, path::Path, process, sync::OnceLock};

use bytes::BytesMut;
use raft_log::ServerSpec;
use session::Reconfig;

use crate::{
    admin::{
        four_letter::{Word, answer},
        testing::Captured,
    },
    config::{Member, Place, from_settings, properties, raw::RawConfig},
    ensemble::{difference, raft_config, server_spec},
};

/// A four-letter word, or what is none.
///
/// # Panics
/// When a word is not answered, or what is none is taken for one.
pub fn four_letter(input: &[u8]) {
    if input.len() < 4 {
        return;
    }
    let mut server = Captured::default();
    for serving in [true, false] {
        server.serving = serving;
        let mut rest = BytesMut::from(input);
        let answered = answer(&server, &mut rest).is_some();
        let expected = Word::parse(input).is_some() || input.starts_with(&[0xff, 0xf4, 0xff, 0xfd]);
        assert_eq!(answered, expected);
        assert_eq!(rest.len(), if answered { 0 } else { input.len() });
    }
}

/// A `zoo.cfg`.
///
/// # Panics
/// When what was read cannot be written and read again, or is out of its bounds.
pub fn config(input: &[u8]) {
    let Ok(read) = properties::parse(input) else { return };
    let pairs = read.iter().map(|property| (property.key.clone(), property.value.clone()));
    let pairs: Vec<(String, String)> = pairs.collect();
    let again = properties::parse(written(&pairs).as_bytes()).expect("escapes are well formed");
    assert!(again.into_iter().map(|property| (property.key, property.value)).eq(pairs));
    for property in &read {
        if let Ok(member) = Member::parse(1, &property.value) {
            is_shown_as_it_is(&server_spec(&member));
        }
    }
    let mut raw = RawConfig::default();
    raw.add_text(input, Path::new("zoo.cfg")).expect("it was just read");
    let data_dir = data_dir().to_string_lossy().into_owned();
    raw.add([("dataDir".to_owned(), data_dir)], &Place::CommandLine);
    if asks_for_names(&raw) {
        return;
    }
    let Ok(loaded) = from_settings(raw) else { return };
    let config = loaded.config;
    assert!(config.session_timeouts.min_ms <= config.session_timeouts.max_ms);
    assert!(config.tick_ms > 0 && config.frame_bytes_max > 0 && config.outstanding_max > 0);
    if let Some(ensemble) = &config.ensemble {
        let all = raft_config(ensemble, &config.members, true);
        all.servers.iter().for_each(is_shown_as_it_is);
    }
}

/// Properties as a file that Java reads back as they are.
fn written(pairs: &[(String, String)]) -> String {
    let escaped = |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let line = |(key, value): &(String, String)| {
        let (key, value): (String, String) = (escaped(key), escaped(value));
        format!("{key}={value}\n")
    };
    // Blank on both sides, a line would not count.
    pairs.iter().map(|pair| line(pair).replace("\n=\n", "\n")).collect()
}

/// What a server says of itself to the others, and shows its clients, is read as the same.
fn is_shown_as_it_is(server: &ServerSpec) {
    assert!(!server.spec.contains(['\n', '\r', ',', '=']), "one line: {:?}", server.spec);
    let again = Member::parse(server.server_id, &server.spec);
    let again = again.unwrap_or_else(|error| panic!("{:?}: {error}", server.spec));
    assert_eq!(server_spec(&again).spec, server.spec);
}

/// Whether names would be looked up, which takes as long as the network likes.
fn asks_for_names(raw: &RawConfig) -> bool {
    const HOSTS: [&str; 4] = [
        "clientPortAddress",
        "secureClientPortAddress",
        "admin.serverAddress",
        "metricsProvider.httpHost",
    ];
    let is_name =
        |host: &str| host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_err();
    let set = HOSTS.iter().filter_map(|key| raw.get(key));
    let clients = raw.with_prefix("server.").filter_map(|(_, line)| line.value.split_once(';'));
    set.map(|setting| setting.value.as_str()).any(is_name)
        || clients
            .filter_map(|(_, client)| client.trim().rsplit_once(':'))
            .any(|(host, _)| is_name(host))
}

/// A folder that says which server this is.
fn data_dir() -> &'static Path {
    static FOLDER: OnceLock<std::path::PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = env::temp_dir().join(format!("rookery-fuzz-{}", process::id()));
        let made = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("myid"), "1\n"));
        made.expect("temporary files can be made");
        folder
    })
}

/// A reconfig: a byte of flags, then what joins, what leaves and all members, with zeros
/// between them.
///
/// # Panics
/// When a server comes of it that is not shown as it is, or one is put and removed at once.
pub fn reconfig(input: &[u8]) {
    let Some((flags, texts)) = input.split_first() else { return };
    let Ok(texts) = std::str::from_utf8(texts) else { return };
    let mut texts = texts.split('\0');
    let mut next = |bit: u8| texts.next().filter(|_| flags & bit != 0);
    let asked = Reconfig { joining: next(1), leaving: next(2), members: next(4), version: -1 };
    let present = [
        (1, "10.0.0.1:2888:3888:participant;0.0.0.0:2181"),
        (2, "[::2]:2888:3888|10.0.0.2:2888:3888;2181"),
        (3, "c:2888:3888:observer;0.0.0.0:2181"),
    ];
    let present =
        present.map(|(id, text)| server_spec(&Member::parse(id, text).expect("these are servers")));
    let present: Vec<&ServerSpec> = present.iter().collect();
    let Ok(difference) = difference(&present, &asked, flags & 8 != 0) else { return };
    for server in &difference.put {
        is_shown_as_it_is(server);
        assert!(!difference.remove.contains(&server.server_id));
    }
}
