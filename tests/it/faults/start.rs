//! Starts that cannot succeed: each ends with an exit code and one line that says what is wrong and
//! how to mend it, and leaves everything as it was. And starts that mend by themselves.

use std::fs::{self, OpenOptions, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use rusqlite::Connection;

use super::{Data, Mount, ask, status};
use crate::harness::process::Launch;
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD};

#[test]
fn a_port_in_use_is_refused_before_anything_is_made() {
    let data = Data::empty();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let ended = data.launch().listen(address).refused();
    ended.says(1, &[&format!("{address} is in use"), "stop it", "--listen"]);
    assert!(!data.path().exists());
}

#[test]
fn a_faulty_configuration_is_refused_with_exit_code_2_before_anything_is_made() {
    let data = Data::empty();
    let weak = data.launch().variable("DOORWARD_SUPER_USER__TOKEN", "adminToken").refused();
    weak.says(2, &["DOORWARD_SUPER_USER__TOKEN", "super_user.allow_weak"]);
    let unknown = data.launch().variable("DOORWARD_REGSTRATION", "open").refused();
    unknown.says(2, &["DOORWARD_REGISTRATION"]);
    assert!(!data.path().exists());
}

#[test]
fn a_data_directory_that_cannot_be_one_is_refused() {
    let data = Data::empty();
    let file = data.folder.path().join("file");
    fs::write(&file, "somebody's file").unwrap();
    for path in [file.as_path(), &file.join("below"), Path::new("/proc/doorward")] {
        Launch::on(path).refused().says(1, &[&path.display().to_string(), "--data-dir"]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "somebody's file");
}

#[test]
fn a_filesystem_that_cannot_be_written_is_refused() {
    let data = Data::empty();
    let Some(mount) = Mount::tmpfs(&data.path(), "mode=0700") else { return };
    data.launch().serve().kill();
    mount.change("ro");
    data.launch().refused().says(1, &["Read-only file system", "give this user the right to write"]);
    mount.change("rw,mode=0755");
    fs::set_permissions(data.path(), Permissions::from_mode(0o755)).unwrap();
    mount.change("ro");
    data.launch().refused().says(1, &["Read-only file system", "cannot be set to 0700"]);
}

#[test]
fn a_database_with_a_damaged_header_is_refused_and_left_alone() {
    let data = Data::new();
    overwrite(&data.database(), 0, 100);
    let damaged = fs::read(data.database()).unwrap();
    let refused = data.launch().refused();
    refused.says(1, &["doorward.db is damaged", "keep a copy", "restore it from a backup"]);
    assert_eq!(fs::read(data.database()).unwrap(), damaged);
}

#[test]
fn a_database_with_a_damaged_middle_is_refused_or_answers_503_and_never_lies() {
    let data = Data::new();
    let whole = fs::read(data.database()).unwrap();
    let login = format!(r#"{{"email":"{ADMIN_EMAIL}","password":"{ADMIN_PASSWORD}"}}"#);
    let (mut refusals, mut answers) = (0, Vec::new());
    for (name, page) in roots(&data) {
        overwrite(&data.database(), (page - 1) * 4096, 4096);
        let damaged = fs::read(data.database()).unwrap();
        let mut server = data.launch().spawn();
        if let Some(ended) = server.answers_or_ends() {
            ended.says(1, &["damaged", "restore it from a backup"]);
            assert_eq!(fs::read(data.database()).unwrap(), damaged, "{name}");
            refusals += 1;
        } else {
            for (line, body) in [
                ("GET /1/tokens", ""),
                ("GET /1/projects", ""),
                ("POST /1/projects", r#"{"name":"x"}"#),
                ("POST /1/tokens", "{}"),
                ("POST /auth/login", &login),
            ] {
                let answer = ask(&server, line, body);
                assert!(matches!(status(&answer), 200 | 503), "{name}: {line}: {answer}");
                answers.push(status(&answer));
            }
            server.stop();
        }
        // What was written beside the database belongs to the damaged one.
        for beside in ["doorward.db-wal", "doorward.db-shm"] {
            let _ = fs::remove_file(data.path().join(beside));
        }
        fs::write(data.database(), &whole).unwrap();
    }
    assert!(refusals > 0 && answers.contains(&503) && answers.contains(&200), "{refusals} refusals, {answers:?}");
    data.launch().serve().stop();
}

/// The first page of the tables and indexes that requests go through.
fn roots(data: &Data) -> Vec<(String, usize)> {
    let database = Connection::open(data.database()).unwrap();
    let names = "'users', 'tokens', 'tokens_user', 'sessions', 'sessions_user', 'projects', 'projects_user', 'meta'";
    let text = format!("select name, rootpage from sqlite_schema where name in ({names})");
    let mut statement = database.prepare(&text).unwrap();
    let roots = statement.query_map((), |row| Ok((row.get(0)?, row.get::<_, u32>(1)? as usize))).unwrap();
    roots.map(Result::unwrap).collect()
}

#[test]
fn a_database_of_a_newer_doorward_is_refused() {
    let data = Data::new();
    let database = Connection::open(data.database()).unwrap();
    database.execute("insert into migrations values (99, '0099_later', 'x', 0, 99)", ()).unwrap();
    drop(database);
    data.refuses(&["schema version 99", "newer doorward", "restore the backup made before the upgrade"]);
}

#[test]
fn a_damaged_key_file_is_refused() {
    let data = Data::new();
    let whole = fs::read(data.keys()).unwrap();
    overwrite(&data.keys(), 60, 4);
    data.refuses(&["keys is damaged", "restore it from a backup"]);
    for length in [0, whole.len() / 2] {
        fs::write(data.keys(), &whole[..length]).unwrap();
        data.refuses(&["keys is damaged", "restore it from a backup"]);
    }
    fs::write(data.keys(), whole).unwrap();
    data.launch().serve().stop();
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let data = Data::new();
    fs::set_permissions(data.keys(), Permissions::from_mode(0o640)).unwrap();
    data.refuses(&["is open to others (mode 0640)", "chmod 600"]);
}

#[test]
fn the_key_file_of_another_database_is_refused() {
    let (data, other) = (Data::new(), Data::new());
    fs::copy(other.keys(), data.keys()).unwrap();
    data.refuses(&["belongs to another database", "backed up with this database", "--new-keys"]);
}

#[test]
fn a_missing_key_file_is_refused_and_new_keys_go_on_without_the_old_tokens() {
    let data = Data::new();
    fs::remove_file(data.keys()).unwrap();
    data.refuses(&["keys is missing", "restore it from a backup", "--new-keys"]);

    let server = data.launch().argument("--new-keys").serve();
    assert_eq!(status(&ask(&server, "GET /1/authentication", "")), 403);
    let login = format!(r#"{{"email":"{ADMIN_EMAIL}","password":"{ADMIN_PASSWORD}"}}"#);
    assert_eq!(status(&ask(&server, "POST /auth/login", &login)), 200);
    server.stop();
    let server = data.launch().serve();
    assert_eq!(status(&ask(&server, "POST /auth/login", &login)), 200);
}

#[test]
fn wrong_modes_are_mended() {
    let data = Data::new();
    data.launch().serve().kill();
    let files = ["doorward.db", "doorward.db-wal", "doorward.db-shm"].map(|name| data.path().join(name));
    for file in &files {
        fs::set_permissions(file, Permissions::from_mode(0o666)).unwrap();
    }
    fs::set_permissions(data.path(), Permissions::from_mode(0o777)).unwrap();
    let _server = data.launch().serve();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&data.path()), 0o700);
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[test]
fn two_starts_at_once_make_one_administrator() {
    for _ in 0..3 {
        let data = Data::empty();
        let mut servers = [data.launch().spawn(), data.launch().spawn()];
        for server in &mut servers {
            server.wait_until_it_answers();
            assert_eq!(status(&ask(server, "GET /1/authentication", "")), 200);
        }
        assert_eq!(data.rows()["users"].len(), 1);
        assert_eq!(data.rows()["tokens"].len(), 1);
    }
}

#[test]
fn two_starts_at_once_without_a_configured_administrator_tell_one_password() {
    let data = Data::empty();
    let mut servers = [0, 1].map(|_| data.launch().anonymous().spawn());
    for server in &mut servers {
        server.wait_until_it_answers();
    }
    let told = fs::read_to_string(data.path().join("first-admin.txt")).unwrap();
    let password = told.lines().find_map(|line| line.trim().strip_prefix("password: ")).unwrap();
    let body = format!(r#"{{"username":"admin","password":"{password}"}}"#);
    for server in &servers {
        assert_eq!(status(&ask(server, "POST /api/auth/login", &body)), 200, "{told}");
    }
    assert_eq!(data.rows()["users"].len(), 1);
}

#[test]
fn where_the_first_secrets_cannot_be_kept_the_start_says_how_to_go_on() {
    let data = Data::empty();
    let obstacle = data.path().join("first-admin.txt");
    fs::create_dir_all(&obstacle).unwrap();
    let ended = data.launch().anonymous().refused();
    ended.says(1, &["first-admin.txt cannot be written", "doorward user passwd admin"]);
    fs::remove_dir(&obstacle).unwrap();
    data.launch().anonymous().serve().stop();
}

fn overwrite(path: &Path, at: usize, length: usize) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&vec![0xa5; length], at.try_into().unwrap()).unwrap();
}
