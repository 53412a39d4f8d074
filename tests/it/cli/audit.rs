//! `doorward audit`: what it shows, and that it finds whatever was done to the log.

use rusqlite::Connection;
use serde_json::Value;

use super::program::{DataDirectory, Ran};

fn database(data: &DataDirectory) -> Connection {
    Connection::open(format!("{}/doorward.db", data.path())).unwrap()
}

/// The documents, a line each.
fn lines(data: &DataDirectory, arguments: &[&str]) -> Vec<Value> {
    let ran = data.run(&[&["audit", "list", "--json"], arguments].concat());
    ran.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn actions(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["action"].as_str().unwrap()).collect()
}

fn verify(data: &DataDirectory, arguments: &[&str]) -> Ran {
    data.run(&[&["audit", "verify"], arguments].concat())
}

/// That the log is found broken, with a message that says all of this.
fn broken(data: &DataDirectory, arguments: &[&str], parts: &[&str]) {
    let ran = verify(data, arguments);
    for part in parts {
        ran.refused(part);
    }
}

#[test]
fn what_the_operator_does_and_is_refused_is_listed() {
    let data = DataDirectory::new();
    data.add("ann");
    data.run(&["user", "grant", "ann", "servers.start"]).done();
    data.run(&["user", "disable", "admin"]).refused("last active administrator");
    let rows = lines(&data, &[]);
    let all = ["user.disabled", "permission.granted", "user.created", "token.created", "first_admin.made"];
    assert_eq!(actions(&rows), all);
    let refused = &rows[0];
    assert_eq!((refused["result"].as_str(), refused["reason"].as_str()), (Some("refused"), Some("last_administrator")));
    assert_eq!((refused["via"].as_str(), refused["credential"].as_str()), (Some("cli"), Some("operator")));
    let ann = data.id("ann");
    let granted = &rows[1];
    assert_eq!((granted["user"].as_str(), granted["detail"].as_str()), (Some(ann.as_str()), Some("servers.start")));
    assert_eq!(
        (&granted["actor"], granted["times"].as_i64(), granted["seq"].as_i64()),
        (&Value::Null, Some(1), Some(4))
    );
    assert_eq!(granted["hash"].as_str().unwrap().len(), 64);

    assert_eq!(actions(&lines(&data, &["--oldest", "--limit", "2"])), ["first_admin.made", "token.created"]);
    assert_eq!(actions(&lines(&data, &["--after", "4"])), &all[2..]);
    assert_eq!(actions(&lines(&data, &["--oldest", "--after", "4"])), ["user.disabled"]);
    for login in ["ann", &ann] {
        assert_eq!(actions(&lines(&data, &["--user", login])), ["permission.granted", "user.created"]);
    }
    assert_eq!(actions(&lines(&data, &["--result", "refused"])), ["user.disabled"]);
    assert_eq!(actions(&lines(&data, &["--action", "user.created"])), ["user.created"]);
    assert_eq!(lines(&data, &["--since", "1h"]).len(), 5);
    assert_eq!(lines(&data, &["--until", "1h"]).len(), 0);
    assert_eq!(lines(&data, &["--address", "192.0.2.1"]).len(), 0);
    assert_eq!(lines(&data, &["--actor", &ann]).len(), 0);
    data.run(&["user", "delete", "ann", "--yes"]).done();
    assert_eq!(lines(&data, &["--user", &ann]).len(), 3, "also of a user who is gone");

    let table = data.run(&["audit", "list", "--limit", "1"]);
    assert!(table.done().contains("user.deleted") && table.stderr.contains("--after 6"), "{table:?}");
    data.run(&["audit", "list", "--action", "sign-in"]).wrong_usage_that_says("sign_in");
}

#[test]
fn a_log_that_is_whole_says_its_head_and_has_what_was_noted() {
    let data = DataDirectory::new();
    let document: Value = serde_json::from_str(verify(&data, &["--json"]).done()).unwrap();
    let noted = document["head"].as_str().unwrap().to_owned();
    assert!(noted.starts_with("2:") && document["rows"] == 2 && document["tail"].as_str().unwrap().starts_with("0:0"));
    data.add("ann");
    let ran = verify(&data, &["--expect", &noted]);
    assert!(ran.done().starts_with("the audit log is whole: 3 rows, from 1 on; "), "{ran:?}");
    let other = noted.replace(&noted[2..4], if &noted[2..4] == "00" { "11" } else { "00" });
    broken(&data, &["--expect", &other], &["row 2", "noted"]);
    broken(&data, &["--expect", &noted.replacen('2', "9", 1)], &["row 9 is missing"]);
    verify(&data, &["--expect", "2:abc"]).wrong_usage();
}

#[test]
fn what_was_done_to_the_log_is_found_with_its_row() {
    let done = [
        ("update audit_log set user_id = actor where seq = 2", "row 2 is not as it was written"),
        ("delete from audit_log where seq = 1", "row 1 is missing"),
        ("delete from audit_log where seq = 2", "row 2 is missing"),
        ("delete from audit_log where seq = 3", "row 3 is missing"),
        ("delete from audit_log", "row 1 is missing"),
        ("update audit_chain set seq = 2 where name = 'head'", "row 2 is not what the log's head says"),
        (
            "update audit_chain set seq = 2, hash = (select hash from audit_log where seq = 2) where name = 'head'",
            "row 3 lies behind",
        ),
    ];
    for (tampering, says) in done {
        let data = DataDirectory::new();
        data.add("ann");
        database(&data).execute_batch(tampering).unwrap();
        broken(&data, &[], &[says, "backup"]);
    }
}

/// Who can write the database can write a chain that fits; a head that was noted elsewhere shows it.
#[test]
fn a_log_that_was_cut_with_its_head_is_found_by_a_head_that_was_noted() {
    let data = DataDirectory::new();
    data.add("ann");
    let document: Value = serde_json::from_str(verify(&data, &["--json"]).done()).unwrap();
    let noted = document["head"].as_str().unwrap();
    let cut = "delete from audit_log where seq = 3;
        update audit_chain set seq = 2, hash = (select hash from audit_log where seq = 2) where name = 'head'";
    database(&data).execute_batch(cut).unwrap();
    verify(&data, &[]).done();
    broken(&data, &["--expect", noted], &["row 3 is missing"]);
    data.add("bob");
    broken(&data, &["--expect", noted], &["row 3", "noted", "anew"]);
    let cut = "delete from audit_log where seq <= 3;
        update audit_chain set seq = 3, hash = (select hash from audit_chain where name = 'head') where name = 'tail'";
    database(&data).execute_batch(cut).unwrap();
    broken(
        &data,
        &["--expect", "2:0000000000000000000000000000000000000000000000000000000000000000"],
        &["row 2", "gone"],
    );
}
