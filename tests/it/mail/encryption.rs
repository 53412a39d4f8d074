//! Encryption and login: a server that cannot prove to be itself learns nothing.

use super::program::Ground;
use super::server::MailServer;

const LOGIN: &str = "doorward:three green lamps";

/// What `doorward mail test` says with these settings beside the server's own.
fn tested(mails: &MailServer, settings: &[(&str, &str)]) -> Result<String, String> {
    // On a busy machine, a handshake of two programs takes its time.
    Ground::new().tested(mails, &[settings, &[("TIMEOUT", "20s")]].concat())
}

#[test]
fn mails_go_encrypted_to_a_server_whose_certificate_is_believed() {
    for security in ["starttls", "tls"] {
        let mails = MailServer::with(&["--security", security]);
        let certificate = mails.certificate();
        let said = tested(&mails, &[("SECURITY", security), ("CA_FILE", &certificate)]).unwrap();
        assert!(said.contains("took the mail: 250") && said.contains("queued as 1"), "{said}");
        let taken = mails.taken();
        assert!(taken.len() == 1 && taken[0].encrypted, "{taken:?}");
    }
}

#[test]
fn a_server_whose_certificate_is_not_believed_gets_nothing() {
    for security in ["starttls", "tls"] {
        let mails = MailServer::with(&["--security", security, "--login", LOGIN]);
        let login = [("SECURITY", security), ("USERNAME", "doorward"), ("PASSWORD", "three green lamps")];
        let said = tested(&mails, &login).unwrap_err();
        assert!(said.contains("no encrypted connection") && said.contains("certificate"), "{said}");
        let other = MailServer::certificate_of_another();
        let said = tested(&mails, &[&login[..], &[("CA_FILE", other.path().to_str().unwrap())]].concat()).unwrap_err();
        assert!(said.contains("no encrypted connection"), "{said}");
        assert_eq!((mails.saw("login"), mails.saw("rcpt"), mails.taken().len()), (0, 0, 0), "{security}");
    }
}

#[test]
fn nothing_is_said_in_clear_where_encryption_is_missing() {
    let mails = MailServer::with(&["--login", LOGIN]);
    let login = [("USERNAME", "doorward"), ("PASSWORD", "three green lamps")];
    for security in ["starttls", "tls"] {
        let said = tested(&mails, &[&login[..], &[("SECURITY", security)]].concat()).unwrap_err();
        assert!(said.contains("encrypted connection") || said.contains("cannot be reached"), "{said}");
    }
    assert_eq!((mails.saw("login"), mails.saw("rcpt")), (0, 0));
}

#[test]
fn a_login_is_shown_and_a_wrong_one_is_told() {
    let mails = MailServer::with(&["--security", "tls", "--login", LOGIN]);
    let certificate = mails.certificate();
    let tls = [("SECURITY", "tls"), ("CA_FILE", certificate.as_str()), ("USERNAME", "doorward")];
    let said = tested(&mails, &[&tls[..], &[("PASSWORD", "three green lamps")]].concat());
    assert!(said.is_ok(), "{said:?}");
    let said = tested(&mails, &[&tls[..], &[("PASSWORD", "three red lamps")]].concat()).unwrap_err();
    assert!(said.contains("does not let us in: 535") && !said.contains("lamps"), "{said}");
    assert_eq!((mails.saw("login right"), mails.saw("login wrong"), mails.taken().len()), (1, 1, 1));
}
