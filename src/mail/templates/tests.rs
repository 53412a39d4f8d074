//! The templates that are built in, and what is said of faulty ones of the operator's.

use std::fs;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_795_348_800);

fn sample(topic: Topic) -> Mail {
    let (to, link, hour) = ("ann@example.com", Secret::from("https://id.example.com/x?t=abc"), Duration::from_hours(1));
    match topic {
        Topic::PasswordReset => Mail::password_reset(to, link, hour),
        Topic::AddressVerification => Mail::address_verification(to, link, hour),
        Topic::EmailChange => Mail::email_change(to, link, hour),
        Topic::PasswordChanged => Mail::password_changed(to),
        Topic::EmailChanged => Mail::email_changed(to),
        Topic::Test => Mail::test(to),
    }
}

#[test]
fn every_mail_has_a_text_and_html_in_every_language() {
    for language in Language::ALL {
        let templates = Templates::open(None, language).unwrap();
        for topic in Topic::ALL {
            let text = templates.render(&sample(topic), "id.example.com", NOW).unwrap();
            assert!(text.subject.contains("id.example.com") || topic == Topic::Test, "{}", text.subject);
            for part in [&text.plain, &text.html] {
                let part = part.expose_secret();
                assert!(!part.contains(LINK) && !part.contains("{{"), "{part}");
                assert_eq!(part.contains("t=abc"), topic.has_link(), "{topic:?}: {part}");
                assert!(part.contains("id.example.com"), "{part}");
                assert!(part.lines().all(|line| line.len() < 200), "{part}");
            }
            assert!(text.plain.expose_secret().lines().all(|line| line.chars().count() <= 78));
        }
    }
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_mail_of_the_operators_takes_the_place_of_the_one_that_is_built_in() {
    let own = folder(&[
        ("password_reset.txt", "Subject: Hi from {{ host }}\n\nGo: {{ link }}\n"),
        ("password_reset.html", "{% include \"_part.html\" %}<a href=\"{{ link }}\">{{ host }}</a>"),
        ("_part.html", "<b>{{ time }}</b>"),
        (".hidden", "x"),
        ("password_reset.txt~", "x"),
    ]);
    let templates = Templates::open(Some(own.path()), Language::German).unwrap();
    let text = templates.render(&sample(Topic::PasswordReset), "<b>", NOW).unwrap();
    assert_eq!(text.subject, "Hi from id.example.com");
    assert_eq!(text.plain.expose_secret(), "Go: https://id.example.com/x?t=abc");
    let html = "<b>1 Stunde</b><a href=\"https://id.example.com/x?t=abc\">id.example.com</a>";
    assert_eq!(text.html.expose_secret(), html);
    let other = templates.render(&sample(Topic::PasswordChanged), "id.example.com", NOW).unwrap();
    assert!(other.subject.starts_with("Ihr Passwort"), "{}", other.subject);
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let own = folder(&[("test.txt", "Subject: x\n\n{{ host }}"), ("test.html", "{{ host }}")]);
    let templates = Templates::open(Some(own.path()), Language::English).unwrap();
    let text = templates.render(&sample(Topic::Test), "<i>&", NOW).unwrap();
    assert_eq!((text.plain.expose_secret(), text.html.expose_secret()), ("<i>&", "&lt;i&gt;&amp;"));
}

#[test]
fn what_is_wrong_with_a_folder_of_templates_is_told_with_file_line_and_mend() {
    const TEXT: (&str, &str) = ("password_reset.txt", "Subject: x\n\n{{ link }}");
    const HTML: (&str, &str) = ("password_reset.html", "{{ link }}");
    for (files, parts) in [
        (&[][..], &["holds no template", "leave it out"][..]),
        (&[TEXT], &["password_reset.html, line 1: is missing", "password_reset.txt is there"]),
        (&[HTML], &["password_reset.txt, line 1: is missing"]),
        (&[TEXT, HTML, ("pasword_reset.txt", "")], &["pasword_reset.txt, line 1", "nearest is password_reset.txt"]),
        (&[HTML, ("password_reset.txt", "Hello\n\n{{ link }}")], &["password_reset.txt, line 1", "`Subject: …`"]),
        (&[HTML, ("password_reset.txt", "Subject: x\n{{ link }}")], &["password_reset.txt, line 1", "an empty one"]),
        (&[HTML, ("password_reset.txt", "Subject: x\n\nHello")], &["password_reset.txt, line 1", "write {{ link }}"]),
        (&[TEXT, ("password_reset.html", "\n\n{{ link }")], &["password_reset.html, line 3"]),
        (&[TEXT, ("password_reset.html", "\n{{ lnk }}")], &["password_reset.html, line 2", "undefined"]),
        (&[TEXT, ("password_reset.html", "\n{{ link|shout }}")], &["password_reset.html, line 2", "shout"]),
        (
            &[TEXT, ("password_reset.html", "{{ link }}{% include '_a.html' %}")],
            &["password_reset.html, line 1", "_a.html"],
        ),
        (
            &[TEXT, ("password_reset.html", "{{ link }}{% include '_a.html' %}"), ("_a.html", "\n\n{{ x }}")],
            &["_a.html, line 3", "undefined"],
        ),
    ] {
        let own = folder(files);
        let told = Templates::open(Some(own.path()), Language::English).err().expect("it is refused").to_string();
        for part in parts {
            assert!(told.contains(part), "{part:?} is missing in: {told}");
        }
        assert!(told.contains(own.path().to_str().unwrap()), "{told}");
    }
    let told = Templates::open(Some(Path::new("/nonexistent/mail")), Language::English).err().unwrap().to_string();
    assert!(told.contains("/nonexistent/mail cannot be read"), "{told}");
}
