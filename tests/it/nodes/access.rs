//! Getting into PostgreSQL: by password from wherever it is kept, and only to a server that proves to
//! be the right one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::Nodes;
use crate::harness::cluster::Cluster;
use crate::harness::process::Launch;

const PASSWORD: &str = "ann's pass phrase";

/// A cluster that lets `ann` in by password over TLS only, under a certificate for `localhost`.
struct Guarded {
    cluster: Cluster,
    nodes: Nodes,
    database: String,
}

impl Guarded {
    fn start() -> Self {
        let cluster = Cluster::start();
        let url = cluster.new_database();
        let database = url.rsplit('/').next().unwrap().to_owned();
        cluster.sql("postgres", &format!("create role ann login password '{}'", PASSWORD.replace('\'', "''")));
        cluster.sql("postgres", &format!("alter database {database} owner to ann"));
        let nodes = Nodes::at(url);
        let (authority, certificate, key) = certificates();
        fs::write(nodes.folder.path().join("authority.pem"), authority).unwrap();
        fs::write(nodes.folder.path().join("other.pem"), certificates().0).unwrap();
        for (file, content) in [
            ("server.crt", certificate.as_str()),
            ("server.key", &key),
            ("pg_hba.conf", "hostssl all ann 127.0.0.1/32 scram-sha-256\nhost all doorward 127.0.0.1/32 trust\n"),
        ] {
            place(&cluster, file, content);
        }
        cluster.sql("postgres", "alter system set ssl = on");
        cluster.sql("postgres", "select pg_reload_conf()");
        Self { cluster, nodes, database }
    }

    fn launch(&self, host: &str, options: &str) -> Launch {
        let (port, database) = (self.cluster.port(), &self.database);
        self.nodes.launch_at(0, &format!("postgres://ann@{host}:{port}/{database}?{options}"))
    }

    fn password_file(&self, password: &str) -> String {
        let path = self.nodes.folder.path().join("password");
        fs::write(&path, format!("{password}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn root(&self, name: &str) -> String {
        format!("sslrootcert={}", self.nodes.folder.path().join(name).display())
    }
}

/// An authority's certificate, and one by it for `localhost` with its key, as PEM.
fn certificates() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (authority_certificate.pem(), certificate.pem(), key.serialize_pem())
}

/// Writes a file into the cluster's directory, as its own user.
fn place(cluster: &Cluster, file: &str, content: &str) {
    let lines = format!("select unnest(string_to_array($text${}$text$, chr(10)))", content.trim_end());
    cluster.sql("postgres", &format!("copy ({lines}) to program 'umask 077; cat > {file}'"));
}

#[test]
fn a_server_is_believed_when_it_proves_itself_as_the_url_asks() {
    let guarded = Guarded::start();
    let password = guarded.password_file(PASSWORD);
    let (root, other) = (guarded.root("authority.pem"), guarded.root("other.pem"));
    for (host, options) in [
        ("localhost", format!("sslmode=verify-full&{root}")),
        ("127.0.0.1", format!("sslmode=verify-ca&{root}")),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", "application_name=prefers".to_owned()),
        ("localhost", format!("sslmode=verify-full&channel_binding=require&{root}")),
    ] {
        let node = guarded.launch(host, &options).variable("DOORWARD_POSTGRES__PASSWORD_FILE", &password).serve();
        let encrypted = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'ann'";
        assert_eq!(guarded.cluster.sql("postgres", encrypted), "t", "{options}");
        node.stop();
    }
    for (host, options, said) in [
        ("localhost", format!("sslmode=verify-full&{other}"), "invalid peer certificate"),
        ("localhost", format!("sslmode=verify-ca&{other}"), "invalid peer certificate"),
        ("localhost", format!("sslmode=require&{other}"), "invalid peer certificate"),
        ("127.0.0.1", format!("sslmode=verify-full&{root}"), "not valid for name"),
        ("localhost", "sslmode=verify-full".to_owned(), "invalid peer certificate"),
        ("localhost", "sslmode=disable".to_owned(), "no encryption"),
        ("localhost", "sslmode=verify-full&sslrootcert=/nonexistent".to_owned(), "sslrootcert /nonexistent"),
    ] {
        let launch = guarded.launch(host, &options).variable("DOORWARD_POSTGRES__PASSWORD_FILE", &password);
        launch.refused().says(1, &[said]);
    }
}

#[test]
fn a_password_is_taken_from_where_it_is_kept_and_never_shown() {
    let guarded = Guarded::start();
    let home = guarded.nodes.folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let launch = guarded.launch("localhost", "").variable("HOME", home.to_str().unwrap());
    launch.refused().says(1, &["password missing", "correct database_url"]);
    let pgpass = home.join(".pgpass");
    write_for_oneself(&pgpass, &format!("localhost:*:{}:ann:{PASSWORD}\n", guarded.database));
    launch.serve().stop();
    fs::set_permissions(&pgpass, Permissions::from_mode(0o644)).unwrap();
    launch.refused().says(1, &["password missing"]);
    let elsewhere = guarded.nodes.folder.path().join("elsewhere");
    write_for_oneself(&elsewhere, &format!("*:*:*:*:{PASSWORD}\n"));
    launch.clone().variable("PGPASSFILE", elsewhere.to_str().unwrap()).serve().stop();

    let wrong = guarded.password_file("a wrong one");
    let refused = launch.clone().variable("DOORWARD_POSTGRES__PASSWORD_FILE", &wrong).refused();
    refused.says(1, &["password authentication failed"]);
    assert!(!refused.log.contains("a wrong one"));
    let spelled = PASSWORD.replace('\'', "%27").replace(' ', "%20");
    let url = format!("postgres://ann:{spelled}@localhost:{}/{}", guarded.cluster.port(), guarded.database);
    let node = guarded.nodes.launch_at(0, &url).serve();
    assert!(!node.log().contains("pass%20phrase") && !node.log().contains(PASSWORD));
    node.stop();
}

fn write_for_oneself(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}
