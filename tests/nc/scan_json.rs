//! `-z --json`: one object a port, for programs.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::support::ends::pipe;
use crate::support::ports::{open, refused, silent};
use crate::support::{Datagrams, Finished, Nc, Ports, RefusingPort, wait_until};

/// What is on stdout: one object a line, nothing else.
#[track_caller]
fn objects(end: &Finished) -> Vec<Value> {
    let text = std::str::from_utf8(&end.stdout).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let objects = text.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    });
    objects.collect()
}

#[track_caller]
fn scanned(args: impl AsRef<str>) -> (Vec<Value>, Finished) {
    let end = Nc::new(args).start().ends();
    (objects(&end), end)
}

/// Exactly the documented fields, each of its type.
#[track_caller]
fn assert_schema(object: &Value) {
    let fields = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    let names: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(FIELDS), "{object}");
    let string_or_null = |name: &str| object[name].is_string() || object[name].is_null();
    assert!(object["host"].is_string(), "{object}");
    assert!(string_or_null("address"), "{object}");
    let port = object["port"].as_u64();
    assert!(
        port.map_or(object["protocol"] == "unix", |port| (1..=65_535).contains(&port)),
        "{object}"
    );
    assert!(port.is_some() || object["port"].is_null(), "{object}");
    assert!(object["protocol"].is_string(), "{object}");
    assert!(string_or_null("service"), "{object}");
    let state = object["state"].as_str().unwrap_or_else(|| panic!("{object}"));
    assert!(STATES.contains(&state), "{object}");
    let errno = object["errno"].as_str();
    assert!(errno.is_none_or(|errno| errno.starts_with('E')), "{object}");
    assert!(string_or_null("errno"), "{object}");
    assert!(object["rtt_us"].is_u64() || object["rtt_us"].is_null(), "{object}");
    assert!(string_or_null("banner"), "{object}");
}

const FIELDS: [&str; 9] =
    ["host", "address", "port", "protocol", "service", "state", "errno", "rtt_us", "banner"];

const STATES: [&str; 5] = ["open", "closed", "filtered", "unreachable", "open|filtered"];

#[test]
fn the_schema() {
    let ports = Ports::reserve(4);
    ports.opens(0);
    ports.filters(1);
    let range = ports.range();
    for options in ["", "-n", "-r", "-v", "--banner", "--max-parallelism 1"] {
        let args = format!("-z --json -w 0.4 {options} 127.0.0.1 {range}");
        let (objects, end) = scanned(args);
        end.exits(0);
        assert_eq!(objects.len(), 4, "{options}");
        objects.iter().for_each(assert_schema);
    }
}

#[test]
fn what_is_known_of_each_port() {
    let ports = Ports::reserve(3);
    ports.opens(1);
    ports.filters(2);
    let (objects, end) = scanned(format!("-z --json -w 0.4 127.0.0.1 {}", ports.range()));
    end.exits(0).said_nothing();
    let [closed, open, filtered] = &*objects else { panic!("{objects:?}") };
    for (object, index, state) in
        [(closed, 0, "closed"), (open, 1, "open"), (filtered, 2, "filtered")]
    {
        assert_schema(object);
        assert_eq!(object["host"], "127.0.0.1");
        assert_eq!(object["address"], "127.0.0.1");
        assert_eq!(object["port"], ports.at(index));
        assert_eq!(object["protocol"], "tcp");
        assert_eq!(object["service"], Value::Null);
        assert_eq!(object["state"], state);
        assert_eq!(object["banner"], Value::Null);
    }
    assert_eq!(closed["errno"], "ECONNREFUSED");
    assert_eq!(open["errno"], Value::Null);
    // A loopback that takes longer than this is not the one of this test.
    assert!(closed["rtt_us"].as_u64().is_some_and(|rtt| rtt < 20_000_000), "{closed}");
    assert!(open["rtt_us"].as_u64().is_some_and(|rtt| rtt < 20_000_000), "{open}");
    assert_eq!(filtered["rtt_us"], Value::Null);
}

#[test]
fn the_exit_status_is_that_of_any_scan() {
    let ports = Ports::reserve(2);
    let args = format!("-z --json 127.0.0.1 {}", ports.range());
    let (objects, end) = scanned(&args);
    end.exits(1).said_nothing();
    assert_eq!(objects.len(), 2);
    ports.opens(0);
    scanned(&args).1.exits(0);
    scanned(format!("--scan-exit all {args}")).1.exits(1);
}

#[test]
fn people_may_read_along() {
    let ports = Ports::reserve(3);
    let lines = refused(ports.at(0)) + &open(ports.opens(1)) + &silent(ports.filters(2));
    let (objects, end) = scanned(format!("-zv --json -w 0.4 127.0.0.1 {}", ports.range()));
    end.exits(0).said(&lines);
    let states: Vec<_> = objects.iter().map(|object| &object["state"]).collect();
    assert_eq!(states, [&json!("closed"), &json!("open"), &json!("filtered")]);
}

/// A range that is scanned again and again: each object in its place.
#[test]
fn the_order_is_that_of_the_ports() {
    let ports = Ports::reserve(20);
    ports.opens(7);
    ports.filters(0);
    ports.filters(19);
    let ranges = vec![ports.range(); 5].join(" ");
    let (objects, end) = scanned(format!("-z --json -w 0.4 127.0.0.1 {ranges}"));
    end.exits(0);
    let told: Vec<u64> = objects.iter().map(|object| object["port"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..5).flat_map(|_| ports.all().map(u64::from)).collect();
    assert_eq!(told, expected);
}

#[test]
fn an_object_is_told_when_its_turn_has_come() {
    let ports = Ports::reserve(2);
    ports.opens(0);
    ports.filters(1);
    let mut nc = Nc::new(format!("-z --json -w 20 127.0.0.1 {}", ports.range())).start();
    wait_until("the first is told", || nc.shown().ends_with(b"}\n"));
    nc.settles();
    let first: Value = serde_json::from_slice(&nc.shown()).unwrap();
    assert_eq!((&first["port"], &first["state"]), (&json!(ports.at(0)), &json!("open")));
    ports.unfilters(1);
    let end = nc.ends();
    end.exits(0);
    assert_eq!(objects(&end).len(), 2);
}

#[test]
fn who_has_read_enough_ends_it_quietly() {
    let ports = Ports::reserve(50);
    ports.opens(0);
    let (read, write) = pipe();
    let args = format!("-z --json -i 0.02 127.0.0.1 {}", ports.range());
    let nc = Nc::new(args).stdout(write).start();
    let mut reader = BufReader::new(std::fs::File::from(read));
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    assert_schema(&serde_json::from_str(&first).unwrap());
    drop(reader);
    nc.ends().ends_by_itself().said_nothing();

    let (read, write) = pipe();
    drop(read);
    let nc = Nc::new(format!("-z --json 127.0.0.1 {}", ports.range())).stdout(write).start();
    nc.ends().ends_by_itself().said_nothing();
}

#[test]
fn a_full_disk_is_told() {
    let ports = Ports::reserve(3);
    ports.opens(0);
    for options in ["--json", "--json --max-parallelism 1"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let args = format!("-z {options} 127.0.0.1 {}", ports.range());
        let end = Nc::new(args).stdout(full).start().ends();
        end.exits(1).said("nc: stdout: No space left on device\n");
    }
}

#[test]
fn datagrams_have_states_of_their_own() {
    let (silent, refusing) = (Datagrams::bind(), RefusingPort::reserve());
    let answering = Datagrams::bind();
    let ports = [silent.port(), refusing.port(), answering.port()];
    let [a, b, c] = ports;
    let nc = Nc::new(format!("-zu --json -w 0.9 127.0.0.1 {a} {b} {c}")).start();
    let (_, from) = answering.receives_any();
    answering.sends_to(b"here", from);
    let end = nc.ends();
    end.exits(0).said_nothing();
    let objects = objects(&end);
    objects.iter().for_each(assert_schema);
    let told: Vec<_> = objects.iter().map(|object| (&object["port"], &object["state"])).collect();
    let states = [json!("open|filtered"), json!("closed"), json!("open")];
    let ports = ports.map(|port| json!(port));
    assert_eq!(told, ports.iter().zip(&states).collect::<Vec<_>>());
    assert!(objects.iter().all(|object| object["protocol"] == "udp"), "{objects:?}");
    assert_eq!(objects[1]["errno"], "ECONNREFUSED");
    assert_eq!(objects[0]["rtt_us"], Value::Null);
    assert!(objects[2]["rtt_us"].is_u64(), "{objects:?}");
}

#[test]
fn a_path_is_a_host() {
    let dir = tempfile::tempdir().unwrap();
    // A name that JSON has to write in another way.
    let [path, absent] = ["a \"quoted\" \\ s", "absent"].map(|name| dir.path().join(name));
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for (path, state, errno) in [(&path, "open", Value::Null), (&absent, "closed", json!("ENOENT"))]
    {
        let end = Nc::new("-zU --json").arg(path).start().ends();
        end.exits(i32::from(state != "open"));
        let objects = objects(&end);
        let [object] = &*objects else { panic!("{objects:?}") };
        assert_schema(object);
        assert_eq!(object["host"], path.to_str().unwrap());
        assert_eq!((&object["port"], &object["address"]), (&Value::Null, &Value::Null));
        assert_eq!((&object["protocol"], &object["errno"]), (&json!("unix"), &errno));
    }
}

/// The answer of somebody else is not the answer.
#[test]
fn a_stranger_opens_no_port() {
    let (silent, stranger) = (Datagrams::bind(), Datagrams::bind());
    let nc = Nc::new(format!("-zu --json -w 0.5 127.0.0.1 {}", silent.port())).start();
    let (_, from) = silent.receives_any();
    stranger.sends_to(b"forged", from);
    let end = nc.ends();
    end.exits(0);
    assert_eq!(objects(&end)[0]["state"], "open|filtered");
}

#[test]
#[ignore = "needs root"]
fn a_host_is_told_with_the_address_that_answered() {
    let dir = tempfile::tempdir().unwrap();
    let ports = Ports::reserve(2);
    ports.opens(1);
    let nc = Nc::new(format!("-z --json several.test {}", ports.range()));
    let hosts = "::1 several.test\n127.0.0.1 several.test\n";
    let end = crate::support::places::with_hosts(dir.path(), hosts, nc).start().ends();
    end.exits(0);
    let objects = objects(&end);
    // One object a port, however many addresses were tried.
    let [closed, open] = &*objects else { panic!("{objects:?}") };
    assert_schema(closed);
    assert_eq!((&closed["host"], &closed["state"]), (&json!("several.test"), &json!("closed")));
    assert_eq!((&open["host"], &open["state"]), (&json!("several.test"), &json!("open")));
    assert_eq!(open["address"], "127.0.0.1");
}

#[test]
#[ignore = "needs root"]
fn a_known_port_has_the_name_of_its_service() {
    let listener = crate::support::places::alone(Nc::new("-lkv 127.0.0.1 80")).start();
    listener.says("Listening on ");
    let nc = Nc::new("-z --json 127.0.0.1 80");
    let end = crate::support::places::beside(nc, &listener).start().ends();
    end.exits(0);
    assert_eq!(objects(&end)[0]["service"], "http");
}
