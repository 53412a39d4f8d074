//! The PostgreSQL that tests have for themselves does what they rely on, and the program keeps its
//! things there.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::harness::cluster::{Cluster, shared};
use crate::harness::process::{Launch, exchange, wait_for};
use crate::harness::{ADMIN_TOKEN, secret_file};

const MAKE: &str = "create table kept (number integer); insert into kept values (1)";
const COUNT: &str = "select count(*) from kept";

/// The name in the URL of a new database.
fn new_database(cluster: &Cluster) -> String {
    let url = cluster.new_database();
    let name = url.rsplit('/').next().unwrap();
    assert_eq!(url, cluster.url(name));
    name.to_owned()
}

fn is_listened_on(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_new_database_is_empty_and_nobody_elses() {
    let (one, other) = (new_database(shared()), new_database(shared()));
    shared().sql(&one, MAKE);
    assert_eq!(shared().sql(&one, COUNT), "1");
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(shared().sql(&other, tables), "0");
    assert_eq!(shared().sql(&other, "select 'ä', true, null, 2; select 3"), "ä|t||2\n3");
    let settings = "select current_setting('server_encoding'), current_setting('timezone'), current_setting('fsync')";
    assert_eq!(shared().sql(&other, settings), "UTF8|UTC|off");
    shared().drop_database(&one);
    assert_eq!(shared().sql("postgres", &format!("select count(*) from pg_database where datname = '{one}'")), "0");
}

#[test]
#[should_panic(expected = "relation \"kept\" does not exist")]
fn a_statement_that_fails_says_why() {
    shared().sql(&new_database(shared()), COUNT);
}

#[test]
fn what_was_committed_outlives_a_stop_and_a_crash() {
    let cluster = Cluster::start_with(&[("fsync", "on"), ("application_name", "it's")]);
    assert_eq!(cluster.sql("postgres", "show fsync"), "on");
    let database = new_database(&cluster);
    cluster.sql(&database, MAKE);
    cluster.stop_fast();
    assert!(!is_listened_on(cluster.port()));
    cluster.start_again();
    cluster.sql(&database, "insert into kept values (2)");
    cluster.kill();
    assert!(!is_listened_on(cluster.port()));
    cluster.start_again();
    assert_eq!(cluster.sql(&database, COUNT), "2");
    cluster.restart();
    cluster.wait_until_ready();
    assert_eq!(cluster.sql(&database, COUNT), "2");
}

#[test]
fn a_standby_has_what_was_committed_and_takes_over() {
    let primary = Cluster::start();
    let database = new_database(&primary);
    primary.sql(&database, MAKE);
    let standby = primary.standby();
    primary.sql(&database, "insert into kept values (2)");
    standby.catch_up_with(&primary);
    assert_eq!(standby.sql(&database, COUNT), "2");
    assert_eq!(standby.sql("postgres", "select pg_is_in_recovery()"), "t");
    primary.kill();
    standby.promote();
    standby.sql(&database, "insert into kept values (3)");
    assert_eq!(standby.sql(&database, COUNT), "3");
}

/// Runs in a process of its own, by the test below.
#[test]
#[ignore = "waits to be killed"]
fn stand_with_a_cluster() {
    let cluster = shared();
    println!("cluster: {} {}", cluster.port(), cluster.sql("postgres", "show data_directory"));
    sleep(Duration::from_mins(1));
}

#[test]
fn it_ends_with_a_process_that_is_killed_and_leaves_nothing_behind() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--ignored", "--exact", "postgres::stand_with_a_cluster", "--nocapture"]);
    let mut process = again.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.find_map(|line| Some(line.split_once("cluster: ")?.1.to_owned()));
    process.kill().unwrap();
    process.wait().unwrap();
    let told = told.expect("it starts a cluster");
    let (port, data) = told.split_once(' ').unwrap();
    let home = Path::new(data).parent().unwrap();
    let port = port.parse().unwrap();
    wait_for("the cluster to end", || (!is_listened_on(port) && fs::metadata(home).is_err()).then_some(()));
}

#[test]
fn the_program_finds_everything_again_from_another_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (url, secret) = (shared().new_database(), secret_file(folder.path()));
    let authentication = format!(
        "GET /1/authentication HTTP/1.1\r\nHost: x\r\nAuthorization: OAuth {ADMIN_TOKEN}\r\nConnection: close\r\n\r\n"
    );
    let [one, other] = ["one", "other"].map(|name| Launch::on(&folder.path().join(name)).database(&url, &secret));
    for launch in [one, other.anonymous()] {
        let server = launch.serve();
        let answer = exchange(server.address(), &authentication);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        server.kill();
    }
}
