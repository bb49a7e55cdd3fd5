//! Four-letter words on a connection: recognised here, answered from what the server is.

use bytes::BytesMut;
use proto::FourLetterWord;

use crate::service::Service;

/// The answer to the word that a connection began with; `None` when it began with
/// something else, or when the word's argument is not there yet.
pub(crate) fn answer(service: &Service, input: &mut BytesMut) -> Option<Vec<u8>> {
    let first = input.first_chunk::<4>()?;
    let word = FourLetterWord::parse(*first)?;
    if !service.config.four_letter.allows(word.as_str()) {
        let text =
            format!("{} is not executed because it is not in the whitelist.\n", word.as_str());
        return Some(text.into_bytes());
    }
    let state = service.core.read();
    let text = match word.as_str() {
        "ruok" => "imok".to_owned(),
        "isro" => "rw".to_owned(),
        _ => format!(
            "Zookeeper version: 3.9.5-rookery, built on 2026-11-21 00:00 UTC\nLatency min/avg/max: 0/0.0/0\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\nZxid: {}\nMode: standalone\nNode count: {}\n",
            service.core.metrics.packet_counts().0,
            service.core.metrics.packet_counts().1,
            service.core.links.count(),
            service.core.outstanding(),
            state.last_zxid(),
            state.node_count(),
        ),
    };
    Some(text.into_bytes())
}
