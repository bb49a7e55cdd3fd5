//! The real routers on real ports, against what a real ZooKeeper 3.9.5 answered.

use std::{fs, time::Duration};

use expect_test::expect;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tree::SessionId;

use super::*;
use crate::admin::{
    metrics::Summary,
    testing::{APACHE, Captured},
    version::VERSION,
};

fn admin(command_url: &str) -> AdminServer {
    AdminServer {
        address: ([127, 0, 0, 1], 0).into(),
        command_url: command_url.to_owned(),
        snapshot_enabled: true,
        snapshot_interval: Duration::from_secs(600),
        idle: IDLE,
    }
}

/// Longer than any test.
const IDLE: Duration = Duration::from_secs(600);
/// What must happen has not happened by then.
const WITHIN: Duration = Duration::from_secs(30);

/// A server of `router`; ends when the sender is dropped.
async fn start(router: Router) -> (SocketAddr, watch::Sender<bool>) {
    start_with(router, IDLE).await
}

async fn start_with(router: Router, idle: Duration) -> (SocketAddr, watch::Sender<bool>) {
    let listener = bind("test", ([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, router, idle, stopped));
    (address, stop)
}

/// Head and body of an answer.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn captured(file: &str) -> String {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/admin_http");
    fs::read_to_string(format!("{directory}/{file}")).unwrap().replace(APACHE, VERSION)
}

/// HTTP connections are no clients, so only those with a session were seen by it.
fn sessions_only() -> Captured {
    let server = Captured::default();
    server.connections.lock().retain(|connection| connection.session != SessionId::NONE);
    server
}

#[tokio::test]
async fn answers_are_the_same_bytes() {
    let server = Arc::new(sessions_only());
    let (address, _stop) =
        start(admin_router(Arc::<Captured>::clone(&server), &admin("/commands"))).await;
    for name in [
        "configuration",
        "dirs",
        "dump",
        "get_trace_mask",
        "hash",
        "is_read_only",
        "leader",
        "observers",
        "ruok",
        "set_trace_mask",
        "voting_view",
        "watch_summary",
        "zabstate",
        "nosuch",
        "observer_connection_stat_reset",
        "connection_stat_reset",
        // Behind the reset, as when it was captured.
        "connections",
    ] {
        let (head, body) = ask(address, "GET", &format!("/commands/{name}")).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {head}");
        assert!(head.contains("content-type: application/json"), "{name}: {head}");
        assert_eq!(body, captured(&format!("{name}.json")), "{name}");
    }
    let (_, body) = ask(address, "GET", "/commands/set_trace_mask?traceMask=306").await;
    assert_eq!(body, captured("stmk_arg.json"));
    let (_, body) = ask(address, "GET", "/commands/stat_reset").await;
    assert_eq!(body, captured("stat_reset.json"));
}

/// As JSON, with the numbers that differ from run to run set to 0.
fn comparable(text: &str) -> serde_json::Value {
    let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
    for changing in ["packets_sent", "packets_received", "num_alive_client_connections", "uptime"] {
        if let Some(stats) = value.get_mut("server_stats") {
            stats[changing] = 0.into();
        }
    }
    value
}

#[tokio::test]
async fn answers_whose_order_is_free_say_the_same() {
    let server = sessions_only();
    server.reset_connections();
    let (address, _stop) = start(admin_router(Arc::new(server), &admin("/commands"))).await;
    for name in ["server_stats", "stats", "watches"] {
        let (_, body) = ask(address, "GET", &format!("/commands/{name}")).await;
        assert_eq!(comparable(&body), comparable(&captured(&format!("{name}.json"))), "{name}");
    }
    let (_, alias) = ask(address, "GET", "/commands/stat").await;
    assert!(alias.contains("\"command\" : \"stats\""), "{alias}");
    let (_, by_path) = ask(address, "GET", "/commands/watches_by_path").await;
    let mut ours = comparable(&by_path);
    let mut theirs = comparable(&captured("watches_by_path.json"));
    for value in [&mut ours, &mut theirs] {
        let app = value["path_to_session_ids"]["/app"].as_array_mut().unwrap();
        app.sort_by_key(serde_json::Value::as_i64);
    }
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn the_index_lists_what_is_offered() {
    let (address, _stop) =
        start(admin_router(Arc::new(Captured::default()), &admin("/commands"))).await;
    let (head, body) = ask(address, "GET", "/commands").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let theirs = captured("index.html");
    let missing: Vec<&str> =
        theirs.lines().filter(|line| line.starts_with("<a") && !body.contains(line)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(body.lines().all(|line| theirs.contains(line)), "{body}");
}

#[tokio::test]
async fn a_server_that_does_not_serve_says_so() {
    let server = Captured { serving: false, ..Captured::default() };
    let (address, _stop) = start(admin_router(Arc::new(server), &admin("/commands"))).await;
    let (head, body) = ask(address, "GET", "/commands/ruok").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.contains("not currently serving requests"), "{body}");
    let (head, _) = ask(address, "GET", "/commands/monitor").await;
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    let (head, _) = ask(address, "TRACE", "/commands/ruok").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
}

/// As ZooKeeper's admin server takes them.
#[tokio::test]
async fn whatever_is_below_the_path_of_the_commands_is_answered() {
    for base in ["/commands", "/zk/", "/", "/:id", "/{x}", "/*", "/{*rest}"] {
        let router = admin_router(Arc::new(Captured::default()), &admin(base));
        let (address, _stop) = start(router).await;
        let base = base.trim_end_matches('/');
        let (head, body) = ask(address, "GET", &format!("{base}/")).await;
        assert!(head.starts_with("HTTP/1.1 200") && body.contains("/ruok\""), "{base}: {head}");
        let (_, body) = ask(address, "GET", &format!("{base}/ruok")).await;
        assert!(body.contains("\"error\" : null"), "{base}: {body}");
        let (head, body) = ask(address, "GET", &format!("{base}/x/y")).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{base}: {head}");
        assert!(body.contains("Unknown command: x/y"), "{base}: {body}");
    }
}

#[tokio::test]
async fn monitor_has_the_values_of_mntr() {
    let (address, _stop) = start(admin_router(Arc::new(Captured::default()), &admin("/zk"))).await;
    let (_, body) = ask(address, "GET", "/zk/monitor").await;
    let value: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value["znode_count"], 159);
    assert_eq!(value["server_state"], "standalone");
    assert_eq!(value["command"], "monitor");
}

#[tokio::test]
async fn metrics_have_the_names_that_dashboards_read() {
    let server = Captured::default();
    server.metrics.update_done(2500);
    server.metrics.reads_done(4, 250);
    for ms in [2, 3, 9] {
        server.metrics.observe(Summary::Sync, ms);
    }
    let (address, _stop) = start(metrics_router(Arc::new(server))).await;
    let (head, body) = ask(address, "GET", "/metrics").await;
    assert!(head.contains("text/plain"), "{head}");
    let names = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/dashboard_metrics.txt");
    for name in fs::read_to_string(names).unwrap().lines() {
        let there = body.lines().any(|line| line.split([' ', '{']).next() == Some(name));
        assert!(there, "{name} is missing");
    }
    let chosen = ["readlatency", "updatelatency", "znode_count", "avg_latency", "fsynctime"];
    let lines = body.lines().filter(|line| chosen.iter().any(|name| line.contains(name)));
    let shown: String = lines.map(|line| format!("{line}\n")).collect();
    expect![[r#"
        # HELP avg_latency avg_latency
        # TYPE avg_latency gauge
        avg_latency 0.7
        # HELP fsynctime fsynctime
        # TYPE fsynctime summary
        fsynctime{quantile="0.5"} 3
        fsynctime_sum 14
        fsynctime_count 3
        # HELP readlatency readlatency
        # TYPE readlatency summary
        readlatency{quantile="0.5"} 0.25
        readlatency{quantile="0.9"} 0.25
        readlatency{quantile="0.99"} 0.25
        readlatency_sum 1
        readlatency_count 4
        # HELP updatelatency updatelatency
        # TYPE updatelatency summary
        updatelatency{quantile="0.5"} 2.5
        updatelatency{quantile="0.9"} 2.5
        updatelatency{quantile="0.99"} 2.5
        updatelatency_sum 2.5
        updatelatency_count 1
        # HELP znode_count znode_count
        # TYPE znode_count gauge
        znode_count 159
    "#]]
    .assert_eq(&shown);
    let types: Vec<&str> = body.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut unique = types.clone();
    unique.dedup();
    assert_eq!(types, unique, "every name once");
}

#[tokio::test]
async fn a_port_that_is_taken_is_no_reason_to_end() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(bind("admin server", taken.local_addr().unwrap()).is_none());
}

/// Head and body of the answer to a request with one header.
async fn ask_with(address: SocketAddr, method: &str, path: &str, line: &str) -> (String, String) {
    ask(address, method, &format!("{path} HTTP/1.1\r\n{line}\r\nX-End:")).await
}

fn refusal(name: &str, error: &str) -> String {
    format!("{{\n  \"command\" : \"{name}\",\n  \"error\" : {error}\n}}")
}

const PROVEN: &str = "Authorization: digest super:test";

#[tokio::test]
async fn snapshot_and_restore_ask_who_one_is() {
    let (address, _stop) =
        start(admin_router(Arc::new(Captured::default()), &admin("/commands"))).await;
    for (line, status, error) in [
        ("X: y", "401", "\"Auth info is missing for the command\""),
        ("Authorization: foo", "401", "\"Not authenticated\""),
        ("Authorization: foo bar", "401", "\"Not authenticated\""),
        ("Authorization: digest a:b", "403", "\"Not authorized\""),
    ] {
        for (method, name) in [("GET", "snapshot"), ("POST", "restore")] {
            let path = format!("/commands/{name}");
            let (head, said) = ask_with(address, method, &path, line).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {head}");
            assert_eq!(said, refusal(name, error), "{line}");
        }
    }
    let (head, said) = ask_with(address, "POST", "/commands/restore", PROVEN).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(said, refusal("restore", "null"));
}

#[tokio::test]
async fn a_snapshot_comes_with_its_zxid_and_not_too_often() {
    let router = admin_router(Arc::new(Captured::default()), &admin("/commands"));
    let (address, _stop) = start(router).await;
    let (head, said) = ask_with(address, "GET", "/commands/snapshot", PROVEN).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for line in ["last_zxid: 0x9c", "snapshot_size: 4", "content-type: application/octet-stream"] {
        assert!(head.lines().any(|one| one == line), "{head}");
    }
    assert_eq!(said, "ZKSN");
    let (head, said) = ask_with(address, "GET", "/commands/snapshot", PROVEN).await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert_eq!(said, refusal("snapshot", "null"));
    let path = "/commands/snapshot?streaming=false";
    let (head, _) = ask_with(address, "GET", path, PROVEN).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

#[tokio::test]
async fn a_snapshot_that_is_turned_off() {
    let off = AdminServer { snapshot_enabled: false, ..admin("/commands") };
    let (address, _stop) = start(admin_router(Arc::new(Captured::default()), &off)).await;
    let (head, said) = ask_with(address, "GET", "/commands/snapshot", PROVEN).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(said, refusal("snapshot", "null"));
}

#[tokio::test]
async fn system_properties_are_those_that_the_file_sets() {
    let (address, _stop) =
        start(admin_router(Arc::new(Captured::default()), &admin("/commands"))).await;
    let (_, body) = ask(address, "GET", "/commands/system_properties").await;
    let value: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value["zookeeper.snapCount"], "100");
    assert_eq!(value["os.name"], "Linux");
}

#[tokio::test]
async fn one_beyond_the_limit_gets_a_place_that_is_given_back() {
    let (address, _stop) =
        start(admin_router(Arc::new(Captured::default()), &admin("/commands"))).await;
    let mut held = Vec::new();
    for _ in 0..limited::CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Taken, and not given back: a request without its end.
        stream.write_all(b"GET /commands/ruok HTTP/1.1\r\n").await.unwrap();
        held.push(stream);
    }
    let waiting = tokio::spawn(async move { ask(address, "GET", "/commands/ruok").await });
    drop(held);
    let (head, _) = waiting.await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

/// What axum waits for when it stops.
#[tokio::test]
async fn half_a_request_does_not_keep_the_server_from_ending() {
    let router = admin_router(Arc::new(Captured::default()), &admin("/commands"));
    let listener = bind("test", ([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(listener, router, IDLE, stopped));
    let mut halves = Vec::new();
    for half in [&b""[..], b"G", b"GET /commands/ruok HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(half).await.unwrap();
        halves.push(stream);
    }
    // All of them were accepted: it is their turn before this one's.
    ask(address, "GET", "/commands/ruok").await;
    stop.send_replace(true);
    timeout(WITHIN, serving).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn places_on_which_nothing_happens_are_given_to_others() {
    let router = admin_router(Arc::new(Captured::default()), &admin("/commands"));
    let (address, _stop) = start_with(router, Duration::from_millis(200)).await;
    let mut held = Vec::new();
    for number in 0..limited::CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET /commands/ruok HTTP/1.1\r\n").await.unwrap();
        }
        held.push(stream);
    }
    let asked = timeout(WITHIN, ask(address, "GET", "/commands/ruok")).await;
    let (head, _) = asked.expect("a place is given back");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

/// A request that never ends is not one that does something.
#[tokio::test]
async fn a_request_byte_by_byte_is_ended() {
    let router = admin_router(Arc::new(Captured::default()), &admin("/commands"));
    let (address, _stop) = start_with(router, Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ended = async {
        stream.write_all(b"GET /commands/ruok HTTP/1.1\r\nX: ").await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WITHIN, ended).await.expect("it is ended");
}

/// Gives away snapshots that fit into no socket, as often as one likes.
fn large_snapshots() -> Router {
    let server = Captured { snapshot: vec![b'x'; 64 << 20], ..Captured::default() };
    let often = AdminServer { snapshot_interval: Duration::ZERO, ..admin("/commands") };
    admin_router(Arc::new(server), &often)
}

/// Asks for a snapshot and reads the first of it only.
async fn begin_snapshot(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /commands/snapshot HTTP/1.1\r\nHost: x\r\n{PROVEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 13];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200 ");
    stream
}

async fn until_a_snapshot_is_given(address: SocketAddr) {
    let given = async {
        while ask_with(address, "HEAD", "/commands/snapshot", PROVEN).await.0.contains(" 429 ") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WITHIN, given).await.expect("the copy before is gone");
}

#[tokio::test]
async fn one_snapshot_is_in_memory_at_a_time() {
    let (address, _stop) = start(large_snapshots()).await;
    let unread = begin_snapshot(address).await;
    for _ in 0..3 {
        let (head, said) = ask_with(address, "GET", "/commands/snapshot", PROVEN).await;
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        assert_eq!(said, refusal("snapshot", "null"));
    }
    drop(unread);
    until_a_snapshot_is_given(address).await;
    // One that was read, on a connection that stays.
    let mut read = begin_snapshot(address).await;
    let mut left = vec![0; 64 << 20];
    read.read_exact(&mut left).await.unwrap();
    until_a_snapshot_is_given(address).await;
}

#[tokio::test]
async fn a_snapshot_that_nobody_reads_is_dropped() {
    let (address, _stop) = start_with(large_snapshots(), Duration::from_secs(1)).await;
    let _unread = begin_snapshot(address).await;
    until_a_snapshot_is_given(address).await;
}
