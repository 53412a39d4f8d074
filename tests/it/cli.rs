//! The command line as operators and scripts see it: the real program on a data directory of its
//! own, with its output, its messages and its exit codes.

mod audit;
mod program;

use serde_json::{Value, json};

use self::program::{DataDirectory, PASSWORD, run_alone};

#[test]
fn a_user_is_made_shown_and_listed() {
    let data = DataDirectory::new();
    let made =
        data.run_with_input(&["user", "add", "ann@example.com", "--username", "Ann", "--password-stdin"], PASSWORD);
    assert!(made.done().starts_with("user \"Ann\" was made with id "), "{made:?}");
    let shown = data.json(&["user", "show", "ANN"]);
    assert_eq!(shown["email"], "ann@example.com");
    assert_eq!(shown["username"], "Ann");
    assert_eq!(shown["status"], "active");
    assert_eq!(shown["permissions"], json!(["user"]));
    assert_eq!((&shown["sessions"], &shown["tokens"]), (&json!(0), &json!(0)));
    assert!(shown["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(data.json(&["user", "show", shown["id"].as_str().unwrap()]), shown);

    let listed = data.json(&["user", "list"]);
    let mut logins: Vec<_> = listed.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    logins.sort_unstable();
    assert_eq!(logins, ["Ann", "admin"]);
    let table = data.run(&["user", "list"]);
    let lines: Vec<_> = table.done().lines().collect();
    assert_eq!(lines.len(), 3, "{table:?}");
    assert!(lines[0].contains("ID") && lines[0].contains("PERMISSIONS"), "{table:?}");
    let line = lines.iter().find(|line| line.starts_with(&format!(" {} ", shown["id"].as_str().unwrap()))).unwrap();
    assert!(line.contains("ann@example.com") && line.contains("active"), "{table:?}");
}

#[test]
fn a_long_list_says_how_it_goes_on() {
    let data = DataDirectory::new();
    for name in ["ann", "bob"] {
        data.add(name);
    }
    let first = data.run(&["user", "list", "--limit", "1"]);
    assert_eq!(first.done().lines().count(), 2);
    assert!(first.stderr.starts_with("there are more: `doorward user list --after "), "{first:?}");
    let next = first.stderr.split(['`', ' ']).find(|word| word.len() == 24).unwrap();
    let rest = data.json(&["user", "list", "--after", next]);
    assert_eq!(rest.as_array().unwrap().len(), 2);
    let none = data.run(&["user", "list", "--after", rest[1]["id"].as_str().unwrap()]);
    assert_eq!((none.done(), none.stderr.as_str()), ("", "no more users\n"));
}

#[test]
fn a_password_comes_from_standard_input_and_never_from_an_argument() {
    let data = DataDirectory::new();
    for command in [
        &["user", "add", "ann", "--password", "correct horse battery"][..],
        &["user", "add", "ann", "--password=correct horse battery"],
        &["user", "passwd", "admin", "--password", "correct horse battery"],
    ] {
        data.run(command).wrong_usage_that_says("--password-stdin");
    }
    data.run(&["user", "passwd", "admin", "correct horse battery"]).wrong_usage();
    let refused = data.run_with_input(&["user", "add", "ann", "--password-stdin"], "short\n");
    refused.refused("password must be at least 8 characters");
    data.run(&["user", "add", "ann"]).wrong_usage_that_says("--password-stdin, or say --no-password");
    data.run(&["user", "passwd", "admin"]).wrong_usage_that_says("--password-stdin");
    data.run_with_input(&["user", "add", "ann", "--password-stdin"], "").refused("pipe the password in");
    data.run(&["user", "show", "ann"]).refused("user \"ann\" not found: `doorward user list` shows all");
}

#[test]
fn a_user_can_have_an_imported_hash_or_no_password() {
    let data = DataDirectory::new();
    let hash = "$2b$04$0123456789012345678901uLYTNIAuHWhvOWvfkRD9jTZfwGHBmEW\n";
    data.run_with_input(&["user", "add", "ann", "--hash-stdin"], hash).done();
    data.run(&["user", "add", "bob@example.com", "--no-password"]).done();
    data.run_with_input(&["user", "add", "eve", "--hash-stdin"], "5f4dcc3b5aa765d61d8327deb882cf99\n")
        .refused("no password hash that can be taken");
    data.run(&["user", "add", "eve", "--no-password", "--password-stdin"]).wrong_usage();
}

#[test]
fn names_that_are_taken_or_malformed_are_refused() {
    let data = DataDirectory::new();
    data.run(&["user", "add", "ADMIN", "--no-password"]).refused("this username is taken");
    data.run(&["user", "add", "a b@", "--no-password"]).wrong_usage_that_says("must be one email address");
    data.run(&["user", "add", "a@b.example", "--email", "c@d.example", "--no-password"])
        .wrong_usage_that_says("leave one out");
    data.run(&["user", "add", "--no-password"]).wrong_usage();
    data.run(&["user", "add", "--email", "a@b.example", "--no-password"]).done();
}

#[test]
fn permissions_are_granted_and_revoked() {
    let data = DataDirectory::new();
    let made = data.json(&["user", "add", "ann", "--no-password", "--permission", "Servers.*", "--admin"]);
    assert_eq!(made["permissions"], json!(["admin", "servers.*", "user"]));
    let revoked = data.json(&["user", "revoke", "ann", "admin"]);
    assert_eq!(revoked["permissions"], json!(["servers.*", "user"]));
    let granted = data.run(&["user", "grant", "ann", "files.read"]);
    assert_eq!(granted.done(), "user \"ann\" holds files.read, servers.*, user\n");
    data.run(&["user", "grant", "ann", "*"]).wrong_usage();
    data.run(&["user", "grant", "nobody", "files.read"]).refused("user \"nobody\" not found");
}

#[test]
fn the_last_administrator_stays() {
    let data = DataDirectory::new();
    for command in [
        &["user", "disable", "admin"][..],
        &["user", "delete", "admin", "--yes"],
        &["user", "revoke", "admin", "admin"],
    ] {
        data.run(command).refused("with `doorward user grant LOGIN admin`");
    }
    data.run(&["user", "add", "ann", "--no-password", "--admin"]).done();
    assert_eq!(data.json(&["user", "disable", "admin"])["status"], "disabled");
    data.run(&["user", "delete", "ann", "--yes"]).refused("user \"ann\" is the last active administrator");
    assert_eq!(data.json(&["user", "enable", "admin"])["status"], "active");
    data.run(&["user", "delete", "ann", "--yes"]).done();
    data.run(&["user", "show", "ann"]).refused("not found");
}

#[test]
fn deleting_needs_a_yes_where_nobody_can_be_asked() {
    let data = DataDirectory::new();
    data.add("ann");
    data.run(&["user", "delete", "ann"]).wrong_usage_that_says("--yes");
    let project = data.json(&["project", "add", "mail", "--owner", "ann"]);
    data.run(&["project", "delete", project["id"].as_str().unwrap()]).wrong_usage_that_says("--yes");
    data.run(&["user", "show", "ann"]).done();
}

#[test]
fn a_new_password_ends_the_sessions_of_its_user() {
    let data = DataDirectory::new();
    let session = data.sign_in();
    let listed = data.json(&["session", "list", "admin"]);
    assert_eq!(listed[0]["id"], session.as_str());
    assert_eq!(listed[0]["dialect"], "rest");
    assert_eq!(listed[0]["user_agent"], "Agent\u{9b}2J");
    let table = data.run(&["session", "list", "admin"]);
    assert!(table.done().contains("Agent\\u{9b}2J"), "a client must not steer the operator's terminal: {table:?}");
    let changed = data.run_with_input(&["user", "passwd", "admin", "--password-stdin"], "another horse battery\n");
    assert_eq!(changed.done(), "user \"admin\" has a new password; all sessions of the user are over\n");
    let none = data.run(&["session", "list", "admin"]);
    assert_eq!((none.done(), none.stderr.contains("is signed in nowhere")), ("", true));
    assert_eq!(data.json(&["session", "list", "admin"]), json!([]));
}

#[test]
fn sessions_are_ended_one_by_one_or_all_of_a_user() {
    let data = DataDirectory::new();
    let session = data.sign_in();
    data.run(&["session", "revoke", &session]).done();
    data.run(&["session", "revoke", &session]).refused("not found or over");
    data.sign_in();
    assert_eq!(data.json(&["session", "revoke", "--user", "admin"]), json!({ "ended": 1 }));
    data.run(&["session", "revoke"]).wrong_usage();
    data.run(&["session", "revoke", "nonsense"]).wrong_usage_that_says("24 hexadecimal digits");
    data.run(&["session", "revoke", &session, "--user", "admin"]).wrong_usage();
}

#[test]
fn a_tokens_secret_is_the_last_line_and_shown_once() {
    let data = DataDirectory::new();
    data.add("ann");
    let made = data.run(&["token", "add", "ann", "--name", "backup", "--expires-in", "30d"]);
    let secret = made.done().lines().last().unwrap().to_owned();
    assert!(secret.starts_with("dwt_"), "{made:?}");
    let listed = data.run(&["token", "list", "ann"]);
    assert!(listed.done().contains("backup") && !listed.stdout.contains(&secret), "{listed:?}");
    let listed = data.json(&["token", "list", "ann"]);
    assert_eq!((&listed[0]["admin"], &listed[0]["name"]), (&json!(false), &json!("backup")));
    assert!(listed[0]["expires_at"].is_string() && listed[0]["secret"].is_null());

    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(data.json(&["token", "delete", id]), json!({ "id": id }));
    data.run(&["token", "delete", id]).refused("not found: `doorward token list LOGIN`");
    assert!(data.run(&["token", "list", "ann"]).stderr.contains("`doorward token add LOGIN` makes one"));
}

#[test]
fn a_token_with_administrator_power_is_made_for_whoever_is_named() {
    let data = DataDirectory::new();
    data.add("ann");
    let plain = data.run(&["token", "add", "ann", "--admin"]);
    assert!(plain.stderr.contains("only while its user holds admin"), "{plain:?}");
    let made = data.json(&["token", "add", "admin", "--admin", "--type", "ci", "--expires-at", "2999-01-31T00:00:00Z"]);
    assert_eq!(made["type"], "ci");
    assert_eq!(made["admin"], true);
    assert_eq!(made["expires_at"], "2999-01-31T00:00:00.000Z");
    assert!(made["secret"].as_str().unwrap().starts_with("dwt_"));
    data.run(&["token", "add", "ann", "--expires-at", "2001-01-01T00:00:00Z"]).refused("must lie in the future");
    data.run(&["token", "add", "ann", "--expires-in", "soon"]).wrong_usage_that_says("a whole number and one of");
    data.run(&["token", "add", "nobody"]).refused("user \"nobody\" not found");
}

#[test]
fn a_reset_link_is_the_last_line_of_standard_output() {
    let data = DataDirectory::new();
    let made = data.run(&["user", "reset-link", "admin"]);
    let link = made.done().lines().last().unwrap();
    let token = link.strip_prefix("http://127.0.0.1:8090/reset-password?token=").unwrap();
    assert!(token.len() >= 40, "{made:?}");
    assert!(made.stderr.contains("public_url is not set"), "{made:?}");

    let elsewhere = data.run(&["user", "reset-link", "admin", "--public-url", "https://id.example.com"]);
    assert!(elsewhere.done().starts_with("https://id.example.com/reset-password?token="), "{elsewhere:?}");
    assert!(!elsewhere.stderr.contains("public_url"), "{elsewhere:?}");
    let document = data.json(&["user", "reset-link", "admin"]);
    assert!(document["link"].as_str().unwrap().contains("?token="));

    data.add("ann");
    data.run(&["user", "disable", "ann"]).done();
    data.run(&["user", "reset-link", "ann"]).refused("`doorward user enable` first");
    data.run(&["user", "reset-link", "nobody"]).refused("not found");
}

#[test]
fn projects_are_made_shared_and_deleted() {
    let data = DataDirectory::new();
    for name in ["ann", "bob", "eve"] {
        data.add(name);
    }
    let made = data.json(&["project", "add", "mail", "--owner", "ann"]);
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["name"], &made["owner"]["login"]), (&json!("mail"), &json!("ann")));
    let shared = data.run(&["project", "share", id, "bob", "eve"]);
    let sentence = |one, other| format!("project \"mail\" is shared with {one}, {other}\n");
    assert!([sentence("bob", "eve"), sentence("eve", "bob")].contains(&shared.stdout), "{shared:?}");
    data.run(&["project", "share", id, "nobody"]).refused("user \"nobody\" not found");
    let unshared = data.json(&["project", "unshare", id, "eve"]);
    assert_eq!(unshared["shared_with"], json!([{ "id": data.id("bob"), "login": "bob" }]));

    let of_bob = data.json(&["project", "list", "--user", "bob"]);
    assert_eq!((&of_bob[0]["id"], &of_bob[0]["role"]), (&json!(id), &json!("shared")));
    assert!(data.run(&["project", "list", "--user", "ann"]).done().contains("owner"));
    assert!(
        data.run(&["project", "list", "--user", "eve"]).stderr.contains("`doorward project add NAME --owner LOGIN`")
    );
    assert!(data.run(&["project", "show", id]).done().contains("shared with"));

    data.run(&["project", "delete", id, "--yes"]).done();
    data.run(&["project", "show", id]).refused("`doorward project list --user LOGIN`");
    data.run(&["project", "add", "mail"]).wrong_usage();
    data.run(&["project", "add", "mail", "--owner", "nobody"]).refused("user \"nobody\" not found");
}

#[test]
fn global_flags_stand_anywhere() {
    let data = DataDirectory::new();
    let path = data.path();
    for command in [
        &["--data-dir", path, "--json", "user", "list"][..],
        &["user", "--data-dir", path, "list", "--json"],
        &["user", "list", "--json", "--data-dir", path, "--log-format", "json"],
    ] {
        let ran = run_alone(command, "");
        assert_eq!(serde_json::from_str::<Value>(ran.done()).unwrap().as_array().unwrap().len(), 1, "{command:?}");
    }
}

#[test]
fn a_mistyped_data_directory_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none");
    let ran = run_alone(&["user", "list", "--data-dir", path.to_str().unwrap()], "");
    ran.refused("name its directory with --data-dir");
    assert!(!path.exists());
}

#[test]
fn without_a_command_the_help_is_shown() {
    for command in [&[][..], &["user"], &["user", "frobnicate"], &["--frobnicate"]] {
        run_alone(command, "").wrong_usage();
    }
    assert!(run_alone(&[], "").stderr.contains("serve"));
    assert!(run_alone(&["--help"], "").done().contains("Exit codes"));
    assert_eq!(run_alone(&["--version"], "").done(), concat!("doorward ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_configuration_is_checked_and_secrets_stay_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "registration = \"closed\"\n[super_user]\ntoken = \"a-token-that-nobody-may-see\"\n")
        .unwrap();
    let lines = run_alone(&["config", "check", "--config", path, "--listen", "127.0.0.1:9999"], "");
    assert!(lines.done().contains("registration = \"closed\"\n"), "{lines:?}");
    assert!(lines.stdout.contains("listen = \"127.0.0.1:9999\"\n"), "{lines:?}");
    let document = run_alone(&["config", "check", "--json", "--config", path], "");
    let read: Value = serde_json::from_str(document.done()).unwrap();
    assert_eq!(read["super_user"]["token"], "(set)");
    assert_eq!((&read["passwords"]["memory_kib"], &read["public_url"]), (&json!(19_456), &Value::Null));
    assert!(!lines.stdout.contains("nobody-may-see") && !document.stdout.contains("nobody-may-see"));

    std::fs::write(&file, "regstration = \"closed\"\n[http]\nbody_limit = 1\n").unwrap();
    let faulty = run_alone(&["config", "check", "--config", path], "");
    faulty.wrong_usage_that_says("did you mean \"registration\"?");
    assert!(faulty.stderr.contains("http.body_limit") && faulty.stdout.is_empty(), "{faulty:?}");
    run_alone(&["user", "list", "--config", path], "").wrong_usage_that_says("did you mean \"registration\"?");
}

#[test]
fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run_alone(&["completions", shell], "").done().contains("reset-link"), "{shell}");
    }
    run_alone(&["completions", "abacus"], "").wrong_usage();
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let data = DataDirectory::new();
    let (code, stderr) = data.run_into_closed_pipe(&["user", "list"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}
