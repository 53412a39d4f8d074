//! A backup as the page on operations describes it, made while the server works, and put back.

use std::fs;
use std::thread;

use rusqlite::{Connection, OpenFlags};

use super::{Data, ask, status};

#[test]
fn a_backup_made_while_the_server_writes_can_be_put_back() {
    let (data, restored) = (Data::empty(), Data::empty());
    let server = data.launch().serve();
    fs::create_dir(restored.path()).unwrap();
    let write = || assert_eq!(status(&ask(&server, "POST /1/tokens", "{}")), 200);
    (0..20).for_each(|_| write());
    thread::scope(|scope| {
        let writing = scope.spawn(|| (0..50).for_each(|_| write()));
        let database = Connection::open_with_flags(data.database(), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        database.execute("vacuum into $1", [restored.database().to_str().unwrap()]).unwrap();
        // The keys last: later ones hold all earlier ones.
        fs::copy(data.keys(), restored.keys()).unwrap();
        writing.join().unwrap();
    });
    server.stop();

    let server = restored.launch().serve();
    assert_eq!(status(&ask(&server, "GET /1/authentication", "")), 200);
    assert_eq!(status(&ask(&server, "POST /1/tokens", "{}")), 200);
    // The configured token, those before the backup, the new one; of those during it, as many as it saw.
    assert!((22..=72).contains(&restored.rows()["tokens"].len()));
}

#[test]
fn a_stopped_server_leaves_one_file_with_everything() {
    let (data, copy) = (Data::empty(), Data::empty());
    let server = data.launch().serve();
    (0..20).for_each(|_| assert_eq!(status(&ask(&server, "POST /1/tokens", "{}")), 200));
    server.stop();
    fs::create_dir(copy.path()).unwrap();
    fs::copy(data.database(), copy.database()).unwrap();
    assert_eq!(copy.rows()["tokens"].len(), 21);
}
