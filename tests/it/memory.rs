//! What passwords leave in the server's memory: nothing but the requests themselves, as they lie in the buffers of the
//! connections that they came by, which the HTTP library does not wipe.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use crate::harness::process::{Launch, Process, read_to_end, send};

/// Before what is looked for, since an allocator writes over the beginning of what is freed.
const LEAD: &str = "0123456789abcdefghijklmn";
const AT_ONCE: usize = 10;
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// One kind of request with a password in it.
struct Case {
    /// In the password, and nowhere else.
    mark: &'static str,
    path: &'static str,
    content_type: &'static str,
    /// With `PASSWORD` and `NUMBER` in it.
    body: &'static str,
    /// What stands before the password in the request.
    before: &'static str,
    status: u16,
}

const CASES: [Case; 11] = [
    Case {
        mark: "mark-register",
        path: "/auth/register",
        content_type: JSON,
        body: r#"{"name":"Ann","email":"annNUMBER@example.com","password":"PASSWORD","confirm":"PASSWORD"}"#,
        before: ":\"",
        status: 201,
    },
    Case {
        // The same password, which is right.
        mark: "mark-register",
        path: "/auth/login",
        content_type: JSON,
        body: r#"{"email":"annNUMBER@example.com","password":"PASSWORD"}"#,
        before: ":\"",
        status: 200,
    },
    Case {
        mark: "mark-wrong",
        path: "/auth/login",
        content_type: JSON,
        body: r#"{"email":"annNUMBER@example.com","password":"PASSWORD"}"#,
        before: ":\"",
        status: 401,
    },
    Case {
        mark: "mark-escape",
        path: "/auth/login",
        content_type: JSON,
        body: r#"{"email":"ann1@example.com","password":"\"PASSWORD"}"#,
        before: ":\"\\\"",
        status: 401,
    },
    Case {
        mark: "mark-faulty",
        path: "/auth/login",
        content_type: JSON,
        body: r#"{"email":"ann1@example.com","password":"PASSWORD",}"#,
        before: ":\"",
        status: 400,
    },
    Case {
        mark: "mark-repeated",
        path: "/auth/login",
        content_type: JSON,
        body: r#"{"password":"PASSWORD","email":"a","email":"b"}"#,
        before: ":\"",
        status: 400,
    },
    Case {
        mark: "mark-form",
        path: "/auth/login",
        content_type: FORM,
        body: "email=ann1%40example.com&password=PASSWORD",
        before: "=",
        status: 401,
    },
    Case {
        mark: "mark-bad-form",
        path: "/auth/login",
        content_type: FORM,
        body: "password=PASSWORD&email=%zz",
        before: "=",
        status: 400,
    },
    Case {
        mark: "mark-argon",
        path: "/api/auth/login",
        content_type: JSON,
        body: r#"{"username":"nobody","password":"PASSWORD"}"#,
        before: ":\"",
        status: 401,
    },
    Case {
        mark: "mark-iron",
        path: "/1/authentication",
        content_type: JSON,
        body: r#"{"email":"nobody@example.com","password":"PASSWORD"}"#,
        before: ":\"",
        status: 403,
    },
    Case {
        mark: "mark-x-access-token",
        path: "/users/login",
        content_type: JSON,
        body: r#"{"email":"nobody@example.com","password":"PASSWORD"}"#,
        before: ":\"",
        status: 401,
    },
];

#[test]
fn a_password_leaves_nothing_behind_but_the_request_that_it_came_with() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(&folder.path().join("data")).variable("DOORWARD_THROTTLE__ENABLED", "false").serve();
    for case in CASES {
        let open: Vec<_> = (0..AT_ONCE).map(|number| send(server.address(), &case.request(number))).collect();
        for mut stream in open {
            let answer = read_to_end(&mut stream);
            assert!(answer.starts_with(&format!("HTTP/1.1 {}", case.status)), "{}: {answer}", case.mark);
        }
        let request = format!("{}{LEAD}", case.before);
        let mut seen = 0;
        for text in memory(&server) {
            for (at, _) in text.match_indices(case.mark) {
                let is_the_request = text[..at].ends_with(&request);
                assert!(is_the_request, "{}: a copy is left: {:?}", case.mark, around(&text, at));
                seen += 1;
            }
        }
        assert!(seen > 0, "{}: not even the requests are seen, so nothing would be", case.mark);
    }
}

impl Case {
    fn request(&self, number: usize) -> String {
        let password = format!("{LEAD}{}-{number:04}", self.mark);
        let body = self.body.replace("PASSWORD", &password).replace("NUMBER", &number.to_string());
        let (path, content_type, length) = (self.path, self.content_type, body.len());
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    }
}

/// What the server can write to, as texts; pages that were never touched are left out.
fn memory(server: &Process) -> Vec<String> {
    const STEP: usize = 1 << 16;
    static UNTOUCHED: [u8; STEP] = [0; STEP];
    let process = format!("/proc/{}", server.pid().as_raw_nonzero());
    let file = File::open(format!("{process}/mem")).unwrap();
    let mut texts = Vec::new();
    for line in fs::read_to_string(format!("{process}/maps")).unwrap().lines() {
        let mut words = line.split(' ');
        let (range, modes) = (words.next().unwrap(), words.next().unwrap());
        if !modes.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let (mut run, mut buffer) = (Vec::new(), vec![0; STEP]);
        for at in (start..end).step_by(STEP) {
            let left = usize::try_from(end - at).unwrap();
            let piece = &mut buffer[..STEP.min(left)];
            // What the allocator has given back meanwhile is no longer there.
            let is_there = file.read_exact_at(piece, at).is_ok();
            if is_there && *piece != UNTOUCHED[..piece.len()] {
                run.extend_from_slice(piece);
            } else if !run.is_empty() {
                texts.push(String::from_utf8_lossy(&std::mem::take(&mut run)).into_owned());
            }
        }
        texts.push(String::from_utf8_lossy(&run).into_owned());
    }
    texts
}

fn around(text: &str, at: usize) -> String {
    let before: Vec<char> = text[..at].chars().rev().take(80).collect();
    before.into_iter().rev().chain(text[at..].chars().take(60)).collect()
}
