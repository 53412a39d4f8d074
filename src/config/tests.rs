//! The configuration from outside: sources in, settings or faults out; and the documents that
//! must agree with the code.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use tokio_postgres::config::{Host, TargetSessionAttrs};
use toml::{Table, Value};

use super::*;
use crate::secret::ExposeSecret;

const DOCUMENT: &str = include_str!("../../docs/configuration.md");
const EXAMPLE: &str = include_str!("../../doorward.example.toml");
const STRONG: &str = "a-long-token-of-an-older-server";

/// What the configuration is when `file` is its file and `environment` its environment.
fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    load_with(file, environment, Overrides::default())
}

fn load_with(file: &str, environment: &[(&str, &str)], overrides: Overrides) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doorward.toml");
    std::fs::write(&path, file).unwrap();
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())).collect();
    Settings::load(&Sources { file: Some(path), environment, overrides, pgpass: None })
}

fn fault(file: &str, environment: &[(&str, &str)]) -> String {
    let error = load(file, environment).expect_err("this configuration is refused");
    assert_eq!(error.faults().len(), 1, "{error}");
    error.to_string()
}

#[test]
fn without_any_source_the_defaults_hold() {
    let settings = Settings::load(&Sources::default()).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8090");
    assert!(matches!(settings.database, Database::Sqlite(None)));
    assert_eq!(settings.registration, Registration::Open);
    assert_eq!(settings.passwords.memory_kib, 19_456);
    assert!(settings.super_user.token.is_none() && settings.super_user.password.is_none());
    assert!(settings.iron.dialect.query_token && !settings.rest.query_token && !settings.iron.reveal_tokens);
    let rest = settings.lifetimes(Dialect::Rest);
    assert_eq!((rest.access, rest.session), (Duration::from_mins(15), Duration::from_hours(720)));
    assert_eq!(settings.tokens.rotate_after, Some(Duration::from_hours(90 * 24)));
    let iron = settings.lifetimes(Dialect::Iron);
    assert_eq!((iron.access, iron.session), (Duration::from_hours(24), Duration::from_hours(24)));
    assert_eq!(settings.audience("https://id.example"), "https://id.example");
    assert_eq!(settings.reset_link("https://id.example").with_token("T"), "https://id.example/reset-password?token=T");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "listen = '127.0.0.1:1'\ndata_dir = 'from-file'\nregistration = 'closed'\n[log]\nformat = 'json'";
    let environment = [("DOORWARD_LISTEN", "127.0.0.1:2"), ("DOORWARD_DATA_DIR", "from-environment")];
    let overrides = Overrides { listen: Some("127.0.0.1:3".to_owned()), ..Overrides::default() };
    let settings = load_with(file, &environment, overrides).unwrap();
    assert_eq!(settings.listen.port(), 3);
    assert_eq!(settings.data_dir, PathBuf::from("from-environment"));
    assert_eq!(settings.registration, Registration::Closed);
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn every_flag_reaches_its_key() {
    let flag = |text: &str| Some(text.to_owned());
    let overrides = Overrides {
        data_dir: flag("d"),
        listen: flag("[::1]:9"),
        public_url: flag("https://id.example"),
        database_url: flag("sqlite:///srv/x.db"),
        log_format: flag("json"),
        to: None,
    };
    let settings = load_with("", &[], overrides.clone()).unwrap();
    assert_eq!((settings.data_dir.to_str(), settings.listen.port()), (Some("d"), 9));
    assert_eq!(settings.public_url.as_ref().map(PublicUrl::as_str), Some("https://id.example"));
    assert!(matches!(settings.database, Database::Sqlite(Some(path)) if *path == *"/srv/x.db"));
    assert_eq!(settings.log.format, LogFormat::Json);
    let there = load_with("", &[], Overrides { to: flag("sqlite:y.db"), ..overrides.clone() }).unwrap();
    assert!(matches!(there.database, Database::Sqlite(Some(path)) if *path == *"y.db"));
    let faults = load_with("", &[], Overrides { to: flag("y.db"), ..overrides }).unwrap_err();
    assert!(faults.faults()[0].starts_with("--to: must be like"), "{faults}");
}

#[test]
fn the_environment_is_read_by_the_kind_of_its_key() {
    let digits = "123456789012345678901234";
    let environment = [
        ("DOORWARD_SUPER_USER__TOKEN", digits),
        ("DOORWARD_SUPER_USER__PASSWORD", "true"),
        ("DOORWARD_PASSWORDS__THREADS", "3"),
        ("DOORWARD_IRON__ENABLED", "false"),
        ("DOORWARD_HTTP__CORS_ORIGINS", "https://a.example, https://b.example"),
        ("PATH", "/bin"),
    ];
    let settings = load("", &environment).unwrap();
    assert_eq!(settings.super_user.token.unwrap().expose_secret(), digits);
    assert_eq!(settings.super_user.password.unwrap().expose_secret(), "true");
    assert_eq!(settings.passwords.threads, 3);
    assert!(!settings.iron.dialect.enabled);
    assert_eq!(
        settings.http.cors_origins.iter().map(Origin::as_str).collect::<Vec<_>>(),
        ["https://a.example", "https://b.example"]
    );
    assert!(
        fault("", &[("DOORWARD_PASSWORDS__THREADS", "many")])
            .starts_with("DOORWARD_PASSWORDS__THREADS: must be a whole")
    );
    assert!(fault("", &[("DOORWARD_IRON__ENABLED", "yes")]).contains("true or false"));
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    for (file, end) in [
        ("regstration = 'open'", "doorward.toml: did you mean \"registration\"?"),
        ("[super_user]\ntokn = 'x'", "did you mean \"super_user.token\"?"),
        ("reset_lifetime = '10m'", "did you mean \"mail.reset_lifetime\"?"),
        ("[http]\nlisten = '127.0.0.1:1'", "did you mean \"listen\"?"),
        ("[sesions]\nrotation_grace = '1s'", "did you mean [sessions]?"),
        ("[iron.prefx]", "did you mean \"iron.prefix\"?"),
        ("iron = true", "is a section: write [iron], then its keys"),
    ] {
        assert!(fault(file, &[]).ends_with(end), "{}", fault(file, &[]));
    }
    assert!(fault("colour = 'blue'", &[]).starts_with("unknown key \"colour\" in "));
    assert!(fault("colour = 'blue'", &[]).contains("the nearest known name is \""));
    assert_eq!(
        fault("", &[("DOORWARD_SUPER_USER_TOKEN", "x")]),
        "unknown variable DOORWARD_SUPER_USER_TOKEN: did you mean DOORWARD_SUPER_USER__TOKEN?"
    );
}

#[test]
fn addresses_that_an_orchestrator_sets_are_passed_over() {
    let environment = [
        ("DOORWARD_SERVICE_HOST", "10.0.0.1"),
        ("DOORWARD_SERVICE_PORT", "8090"),
        ("DOORWARD_SERVICE_PORT_HTTP", "8090"),
        ("DOORWARD_PORT", "tcp://10.0.0.1:8090"),
        ("DOORWARD_PORT_8090_TCP", "tcp://10.0.0.1:8090"),
        ("DOORWARD_PORT_8090_TCP_PROTO", "tcp"),
        ("DOORWARD_PORT_8090_TCP_PORT", "8090"),
        ("DOORWARD_PORT_8090_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(load("", &environment).is_ok());
    assert!(fault("", &[("DOORWARD_PORT", "8090")]).starts_with("unknown variable DOORWARD_PORT: "));
}

#[test]
fn bad_values_are_refused_with_their_mend() {
    for (file, mend) in [
        ("listen = 'localhost:8090'", "127.0.0.1:8090"),
        ("listen = 8090", "a text in quotes"),
        ("data_dir = ''", "must not be empty"),
        ("registration = 'close'", "did you mean \"closed\"?"),
        ("database_url = 'postgres://ann:hunter2@db/doorward'", "openssl rand"),
        ("database_url = 'postgres://ann@/doorward'", "names no host"),
        ("database_url = 'postgres://ann@db/doorward?sslmode=maybe'", "verify-full"),
        ("database_url = 'postgres://ann@db/doorward?sslmode=verify-ca'", "needs sslrootcert"),
        ("database_url = 'postgres://ann@db/doorward?sslmode=require&sslrootcert=system'", "verify-full only"),
        ("database_url = 'postgres://ann@db/doorward?shoe_size=7'", "as libpq knows them"),
        ("database_url = 'postgres://ann@db:port/doorward'", "special characters percent-encoded"),
        ("database_url = 'mysql://ann@db/doorward'", "postgres://doorward@"),
        ("secret_file = '/nonexistent/secret'", "cannot read the file"),
        ("[postgres]\nconnections = 0", "from 1 to"),
        ("[postgres]\nstatement_timeout = '1ms'", "from 100ms to"),
        ("database_url = 'sqlite::memory:'", "sqlite:/var"),
        ("[passwords]\nmemory_kib = 8192", "from 19456 to 1048576"),
        ("[passwords]\niterations = 1", "from 2 to"),
        ("[passwords]\nmax_wait = 2", "has no unit"),
        ("[tokens]\nalgorithm = 'HS256'", "\"EdDSA\", \"ES256\", \"RS256\""),
        ("[tokens]\nrotate_after = '30m'", "from 1h to 3660d; or \"never\""),
        ("[tokens]\nrotate_after = 'nevre'", "such as \"30s\"; or \"never\""),
        ("[tokens]\nrotate_after = 0", "has no unit"),
        ("[rest]\naccess_lifetime = '0s'", "from 1s to 366d"),
        ("[rest]\naccess_lifetime = '31d'", "must not be longer than the session_lifetime"),
        ("[rest]\nprefix = 'rest/'", "must begin with a slash"),
        ("[mail]\nreset_url = 'https://a.example/reset'", "end it with = or /"),
        ("[http]\ncors_origins = ['*']", "list the origins"),
        ("[http]\ncors_origins = 'https://a.example'", "must be a list"),
        ("[tls]\nkey_file = 'key.pem'", "\"tls.certificate_file\" is missing"),
        ("[log]\nlevel = 'inof'", "\"info\""),
        ("[log]\nlevel = 'doorward=loud'", "a level or a filter"),
        ("[rest]\nquery_token = true", "unknown key \"rest.query_token\""),
    ] {
        let told = fault(file, &[]);
        assert!(told.contains(mend), "{file}: {told}");
        assert!(told.contains("doorward.toml"), "{told}");
    }
    assert!(load("[log]\nlevel = 'warn,doorward=debug'", &[]).is_ok());
    assert_eq!(load("[tokens]\nrotate_after = 'never'", &[]).unwrap().tokens.rotate_after, None);
}

#[test]
fn all_faults_are_told_at_once() {
    let error = load("listen = 'x'\nfoo = 1\n[cache]\nmemory_mib = 0", &[("DOORWARD_BAR", "1")]).unwrap_err();
    assert_eq!(error.faults().len(), 4, "{error}");
    let missing = Settings::load(&Sources { file: Some("/nonexistent/x.toml".into()), ..Sources::default() });
    assert!(missing.unwrap_err().to_string().starts_with("cannot read /nonexistent/x.toml: "));
}

#[test]
fn weak_and_impossible_secrets_are_refused() {
    let token = |token: &str| fault(&format!("[super_user]\ntoken = {}", Value::from(token)), &[]);
    assert!(token("adminToken").contains("well-known"));
    assert!(token("superToken123").contains("well-known"));
    assert!(token("only-twenty-three-chars").contains("shorter than 24"));
    assert!(token("").contains("must not be empty"));
    for text in ["a token of words with spaces", "ein-schlüssel-mit-umlauten", "a-token-with-a-newline-in-\n-it"] {
        assert!(token(text).contains("visible ASCII"), "{text}");
    }
    assert!(token("dwr_0123456789012345678901234").contains("dwr_"));
    assert!(token("0123456789.0123456789.0123456789").contains("JWT"));
    assert!(fault("[super_user]\npassword = 'Password'", &[]).contains("tries this password first"));

    let weak = "[super_user]\nallow_weak = true\ntoken = 'adminToken'\npassword = 'password'";
    assert_eq!(load(weak, &[]).unwrap().super_user.token.unwrap().expose_secret(), "adminToken");
    assert!(fault("[super_user]\nallow_weak = true\ntoken = 'dwr_x'", &[]).contains("dwr_"));
    let strong = load(&format!("[super_user]\ntoken = '{STRONG}'"), &[]).unwrap();
    assert_eq!(strong.super_user.token.unwrap().expose_secret(), STRONG);
}

#[test]
fn a_secret_may_come_from_a_file_and_loses_one_newline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let configuration = |key: &str| format!("[super_user]\n{key}_file = {}", Value::from(path.to_str().unwrap()));
    for (held, secret) in
        [("pass phrase\n", "pass phrase"), ("pass\r\n", "pass"), ("pass\n\n", "pass\n"), (" p ", " p ")]
    {
        std::fs::write(&path, held).unwrap();
        let settings = load(&configuration("password"), &[]).unwrap();
        assert_eq!(settings.super_user.password.unwrap().expose_secret(), secret);
    }

    std::fs::write(&path, format!("{STRONG}\n")).unwrap();
    let settings = load("", &[("DOORWARD_SUPER_USER__TOKEN_FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(settings.super_user.token.as_ref().unwrap().expose_secret(), STRONG);
    assert!(settings.describe().contains(&("super_user.token".to_owned(), "(set)".to_owned())));
    let both = fault(&configuration("token"), &[("DOORWARD_SUPER_USER__TOKEN", STRONG)]);
    assert!(both.contains("keep one of the two"), "{both}");

    for held in [b"\n".to_vec(), b"\xff\xfe".to_vec(), vec![b'x'; 70_000]] {
        std::fs::write(&path, held).unwrap();
        assert!(fault(&configuration("token"), &[]).contains("the file that it names"));
    }
    std::fs::remove_file(&path).unwrap();
    assert!(fault(&configuration("token"), &[]).contains("cannot read the file that it names"));
}

#[test]
fn no_secret_is_shown_by_messages_descriptions_or_debug() {
    for file in [
        "[super_user]\ntoken = SECRETWORD",
        "[super_user]\ntoken = 'SECRETWORD",
        "[super_user]\ntoken = 'SECRETWORD' 'SECRETWORD'",
        "[super_user]\ntoken = \"SECRETWORD\\q\"",
        "[super_user]\ntoken = 'SECRETWORD'",
        "[super_user]\ntoken = ['SECRETWORD']",
        "[super_user]\ntoken = 'SECRETWORD'\ntoken = 'SECRETWORD'",
        "[super_user]\ntoken_file = '/SECRETWORD'",
        "super_user = 'SECRETWORD'",
        "[super_user]\ntokn = 'SECRETWORD'",
        "database_url = 'postgres://SECRETWORD@db'",
        "public_url = 'https://ann:SECRETWORD@example.com'",
        "[mail.smtp]\npassword = 'SECRETWORD'",
        "[mail.smtp]\nhost = 'a'\nusername = 'b'\npassword = ['SECRETWORD']",
        "[mail.smtp]\nhost = 'a'\nusername = 'b'\npassword_file = '/SECRETWORD'",
        "[mail.smtp]\nhost = 'SECRET WORD@SECRETWORD'",
    ] {
        let error = load(file, &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRETWORD"), "{error}");
    }
    let file = "[super_user]\npassword = 'SECRETWORD'\ntoken = 'SECRETWORD-SECRETWORD-SECRETWORD'\n\
                [mail.smtp]\nhost = 'a'\nusername = 'b'\npassword = 'SECRETWORD'";
    let settings = load(file, &[]).unwrap();
    assert!(!format!("{settings:?} {:?}", settings.describe()).contains("SECRETWORD"));
}

#[test]
fn a_syntax_error_names_file_and_line() {
    let told = fault("listen = '127.0.0.1:1'\n\nregistration = open\n", &[]);
    assert!(told.contains("doorward.toml, line 3: not TOML: "), "{told}");
}

#[test]
fn the_description_tells_every_key_with_the_value_that_holds() {
    let settings = load("[rest]\nprefix = '/rest'", &[("DOORWARD_PASSWORDS__THREADS", "2")]).unwrap();
    let described = settings.describe();
    let value = |name: &str| described.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    assert_eq!(described.len(), keys().len());
    assert_eq!(value("rest.prefix"), "\"/rest\"");
    assert_eq!(value("passwords.threads"), "2");
    assert_eq!(value("http.cors_origins"), "[]");
    assert_eq!(value("public_url"), "(not set)");
    assert_eq!(value("super_user.token"), "(not set)");
}

#[test]
fn every_listed_default_is_accepted_from_file_and_environment() {
    let mut file = Table::new();
    for key in keys() {
        let Some(value) = key.default_value() else { continue };
        match key.name.split_once('.') {
            Some((section, name)) => {
                let table = file.entry(section).or_insert_with(|| Value::Table(Table::new()));
                table.as_table_mut().unwrap().insert(name.to_owned(), value);
            }
            None => _ = file.insert(key.name.to_owned(), value),
        }
    }
    let variables: Vec<_> = keys().iter().filter_map(|key| Some((key.variable(), key.default?))).collect();
    let environment: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let defaults = format!("{:?}", Settings::default());
    assert_eq!(format!("{:?}", load(&file.to_string(), &[]).unwrap()), defaults);
    assert_eq!(format!("{:?}", load("", &environment).unwrap()), defaults);
}

#[test]
fn the_table_in_the_documentation_is_the_one_of_the_code() {
    let mut table = String::from("\n| key | default | meaning |\n| --- | --- | --- |\n");
    for key in keys() {
        let default = key.default_value().map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
        writeln!(table, "| `{}` | {default} | {} |", key.name, key.meaning).unwrap();
    }
    table.push('\n');
    let (_, rest) = DOCUMENT.split_once("<!-- keys -->\n").unwrap();
    let (documented, _) = rest.split_once("<!-- end of keys -->").unwrap();
    assert!(documented == table, "docs/configuration.md should hold this table:\n{table}");
}

/// The example with every `# key = value` uncommented, without the secrets and their files.
fn uncommented_example() -> String {
    let is_setting = |line: &&str| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
    let lines = EXAMPLE.lines().filter_map(|line| match line.strip_prefix("# ") {
        Some(rest) => Some(rest).filter(is_setting),
        None => Some(line),
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_example_file_holds_every_key_in_order_with_its_default() {
    let table: Table = toml::from_str(&uncommented_example()).unwrap();
    let mut section = String::new();
    let mut named = Vec::new();
    for line in uncommented_example().lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned() + ".";
        } else if let Some((name, _)) = line.split_once(" = ") {
            named.push(format!("{section}{name}"));
        }
    }
    assert_eq!(named, keys().iter().map(|key| key.name).collect::<Vec<_>>());
    for key in keys() {
        let value = key.name.split('.').try_fold(Value::from(table.clone()), |at, step| at.get(step).cloned());
        if let Some(default) = key.default_value() {
            assert_eq!(value, Some(default), "{}", key.name);
        }
    }
}

#[test]
fn the_example_file_loads_as_it_is_and_uncommented() {
    assert_eq!(format!("{:?}", load(EXAMPLE, &[]).unwrap()), format!("{:?}", Settings::default()));
    let mut section = "";
    let (mut secrets, mut rest) = (Vec::new(), String::new());
    let example = uncommented_example();
    for line in example.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(" = ").next().unwrap();
        let is_secret = ["password", "password_file", "token", "token_file", "secret_file"].contains(&name);
        // A name without its password is a fault of its own.
        if is_secret || (section, name) == ("[mail.smtp]", "username") {
            secrets.push(format!("{section}\n{line}"));
        } else {
            rest.push_str(line);
            rest.push('\n');
        }
    }
    load(&rest, &[]).unwrap();
    assert_eq!(secrets.len(), 9);
    for lines in secrets {
        // A secret that ships with an example is one that everybody knows.
        assert!(load(&lines, &[]).is_err(), "{lines} must not work as it stands");
    }
}

/// The settings of a mail server at this host, with what else is given.
fn smtp(host: &str, rest: &str) -> Result<Smtp, ConfigError> {
    load(&format!("[mail.smtp]\nhost = '{host}'\n{rest}"), &[]).map(|settings| settings.mail.smtp.unwrap())
}

#[test]
fn a_mail_server_is_spoken_to_in_one_of_three_ways() {
    assert!(load("", &[]).unwrap().mail.smtp.is_none());
    for (rest, security, port) in [
        ("", Security::StartTls, 587),
        ("security = 'tls'", Security::Tls, 465),
        ("security = 'none'", Security::Nothing, 25),
        ("security = 'tls'\nport = 2525", Security::Tls, 2_525),
    ] {
        let smtp = smtp("smtp.example.com", rest).unwrap();
        assert_eq!((smtp.security, smtp.port, smtp.is_here()), (security, port, false), "{rest}");
    }
    for (host, is_here) in [("localhost", true), ("127.0.0.1", true), ("[::1]", true), ("192.0.2.1", false)] {
        assert_eq!(smtp(host, "").unwrap().is_here(), is_here, "{host}");
    }
    for host in ["smtp.example.com:25", "smtp example.com", "", "smtp://example.com", "b\u{fc}cher.example"] {
        assert!(smtp(host, "").is_err(), "{host:?}");
    }
    let from_environment = load("", &[("DOORWARD_MAIL__SMTP__HOST", "localhost"), ("DOORWARD_MAIL__SMTP__PORT", "26")]);
    assert_eq!(from_environment.unwrap().mail.smtp.unwrap().port, 26);
}

#[test]
fn a_mail_servers_login_is_whole_and_never_in_clear_on_a_network() {
    let login = "username = 'ann'\npassword = 'three green lamps'";
    let read = smtp("smtp.example.com", login).unwrap().login.unwrap();
    assert_eq!((read.0.as_str(), read.1.expose_secret()), ("ann", "three green lamps"));
    for (host, rest, mend) in [
        ("smtp.example.com", "username = 'ann'".to_owned(), "\"mail.smtp.password\" or"),
        ("smtp.example.com", "password = 'three green lamps'".to_owned(), "\"mail.smtp.username\" is missing"),
        ("smtp.example.com", format!("{login}\nsecurity = 'none'"), "in clear: take \"starttls\""),
        ("smtp.example.com", "security = 'ssl'".to_owned(), "\"starttls\", \"tls\", \"none\""),
        ("smtp.example.com", "port = 0".to_owned(), "from 1 to 65535"),
        ("smtp.example.com", "timeout = '1ms'".to_owned(), "from 100ms to 5m"),
    ] {
        let told = smtp(host, &rest).unwrap_err();
        assert_eq!(told.faults().len(), 1, "{told}");
        assert!(told.to_string().contains(mend) && !told.to_string().contains("lamps"), "{told}");
    }
    assert!(smtp("127.0.0.1", &format!("{login}\nsecurity = 'none'")).is_ok());
    assert!(fault("[mail.smtp]\nusername = 'ann'\npassword = 'x'", &[]).contains("\"mail.smtp.host\" is missing"));
    assert!(fault("[mail]\nsmtp = 'localhost'", &[]).contains("is a section: write [mail.smtp]"));
    assert!(fault("[mail.smtp]\nhots = 'localhost'", &[]).contains("did you mean \"mail.smtp.host\"?"));
}

/// A PostgreSQL at this URL, with a secret and what else is given.
fn postgres(url: &str, rest: &str) -> Result<Postgres, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    let text = format!("database_url = '{url}'\nsecret_file = '{}'\n{rest}", secret.display());
    let settings = load(&text, &[])?;
    assert_eq!(settings.cluster_secret.as_ref().unwrap().expose(), b"0123456789abcdef0123456789abcdef");
    match settings.database {
        Database::Postgres(postgres) => Ok(*postgres),
        Database::Sqlite(_) => panic!("{url} is SQLite"),
    }
}

#[test]
fn a_url_names_one_host_or_several_and_where_to_write() {
    let read = postgres("postgres://ann@one:1,two:2,three/doorward?sslmode=disable", "").unwrap();
    let ports: Vec<_> = read.hosts.iter().map(|host| (host.get_hosts().to_vec(), host.get_ports().to_vec())).collect();
    let tcp = |name: &str| vec![Host::Tcp(name.to_owned())];
    assert_eq!(ports, [(tcp("one"), vec![1]), (tcp("two"), vec![2]), (tcp("three"), vec![5432])]);
    for host in &read.hosts {
        assert_eq!((host.get_user(), host.get_dbname()), (Some("ann"), Some("doorward")));
        assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(host.get_application_name(), Some("doorward"));
    }
    assert_eq!((read.encryption, read.is_remote()), (Encryption::Disable, true));
    assert_eq!(read.shown(), "postgres://ann@one:1,two:2,three:5432/doorward");
    let read = postgres("postgresql://127.0.0.1/x?target_session_attrs=any&application_name=y&sslmode=verify-full", "");
    let read = read.unwrap();
    assert_eq!(read.hosts[0].get_target_session_attrs(), TargetSessionAttrs::Any);
    assert_eq!(read.hosts[0].get_application_name(), Some("y"));
    assert_eq!((read.encryption, read.is_remote()), (Encryption::VerifyFull, false));
    let read = postgres("postgres://ann@db/x?sslrootcert=/etc/a%20b.pem", "").unwrap();
    assert_eq!((read.encryption, read.root_certificate), (Encryption::Prefer, Some(PathBuf::from("/etc/a b.pem"))));
}

#[test]
fn a_password_comes_from_the_url_else_a_file_else_libpqs() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pgpass) = (folder.path().join("password"), folder.path().join("pgpass"));
    fs::write(&file, "from the file\n").unwrap();
    fs::write(&pgpass, "*:*:*:ann:from pgpass\n").unwrap();
    fs::set_permissions(&pgpass, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, [b'x'; 32]).unwrap();
    let password_file = format!("[postgres]\npassword_file = '{}'", file.display());
    for (user, rest, expected) in [
        ("ann:from%20the%20url", password_file.as_str(), "from the url"),
        ("ann", password_file.as_str(), "from the file"),
        ("ann", "", "from pgpass"),
    ] {
        let config = folder.path().join("doorward.toml");
        let text = format!("database_url = 'postgres://{user}@db/x'\nsecret_file = '{}'\n{rest}", secret.display());
        fs::write(&config, text).unwrap();
        let sources = Sources { file: Some(config), pgpass: Some(pgpass.clone()), ..Sources::default() };
        let Database::Postgres(read) = Settings::load(&sources).unwrap().database else { panic!("it is PostgreSQL") };
        assert_eq!(read.hosts[0].get_password(), Some(expected.as_bytes()));
    }
}

#[test]
fn a_cluster_needs_a_secret_that_cannot_be_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "0123456789abcdef0123456789abcde\n").unwrap();
    let text = format!("database_url = 'postgres://ann@db/x'\nsecret_file = '{}'", secret.display());
    let error = load(&text, &[]).unwrap_err();
    assert_eq!(error.faults().len(), 1, "{error}");
    assert!(error.to_string().contains("at least 32 bytes"), "{error}");
}

#[test]
fn a_url_is_described_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, [b'x'; 32]).unwrap();
    let url = "postgres://ann:hunter2@db/x";
    let settings = load(&format!("database_url = '{url}'\nsecret_file = '{}'", secret.display()), &[]).unwrap();
    let described = settings.describe().into_iter().find(|(name, _)| name == "database_url").unwrap();
    assert_eq!(described.1, "\"postgres://ann:(set)@db/x\"");
    assert!(!format!("{settings:?}").contains("hunter2"));
}
