//! Access tokens: JWTs by RFC 9068, and the refusals of RFC 8725. The algorithm is the one of the
//! key that `kid` names, and no claim is read before the signature holds. Knows no session and no
//! user: whether they still live is asked elsewhere.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::Timestamp;
use crate::domain::error::{Error, Result, Unauthenticated};
use crate::domain::id::{ID_BYTES, SessionId, UserId};
use crate::domain::session::Dialect;
use crate::domain::token::read_base64;
use crate::guard::signer::Signer;

/// How far other people's clocks may be off.
pub const LEEWAY: Duration = Duration::from_mins(1);

const LONGEST: usize = 4096;
const JTI_BYTES: usize = 12;
/// 9999-12-31T23:59:59Z: a moment after this is a mistake or an attack.
const LAST_SECOND: i64 = 253_402_300_799;

/// Who issues access tokens, and for whom: both are compared exactly.
#[derive(Clone, Debug)]
pub struct Realm {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// What an access token says. Moments are kept in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// `sub`: the user.
    pub user_id: UserId,
    /// `sid`: the session.
    pub session_id: SessionId,
    /// `client_id`: the dialect that the session began in.
    pub dialect: Dialect,
    /// `jti`: random bytes, so that no two tokens are alike.
    pub jti: [u8; JTI_BYTES],
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `auth_time`: when the password was last proved.
    pub auth_time: Timestamp,
    /// `cver`: the user's credential version at that time.
    pub credential_version: i64,
}

impl AccessClaims {
    /// Whether the token is over at `now`, by the leeway too.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at.plus(LEEWAY)
    }

    /// When its session began is no matter here: a session goes on where the clock was set back since.
    fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.issued_at > now.plus(LEEWAY)
    }

    /// These claims, if their time has come at `now` and is not over.
    pub(super) fn in_time(self, now: Timestamp) -> Result<Self, Unauthenticated> {
        if self.is_from_the_future(now) {
            return Err(Unauthenticated::Malformed);
        }
        if self.is_over(now) { Err(Unauthenticated::Expired) } else { Ok(self) }
    }
}

/// The claims as JSON. Integers are integers: a float, a string or null is refused.
#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    #[serde(borrow)]
    client_id: Cow<'a, str>,
    #[serde(borrow)]
    jti: Cow<'a, str>,
    iat: i64,
    exp: i64,
    auth_time: i64,
    #[serde(borrow)]
    sid: Cow<'a, str>,
    cver: i64,
}

impl Payload<'_> {
    fn read(&self, realm: &Realm) -> Option<AccessClaims> {
        if self.iss != realm.issuer || self.aud != realm.audience || self.cver < 0 {
            return None;
        }
        Some(AccessClaims {
            user_id: UserId::parse(hex_only(&self.sub)?)?,
            session_id: SessionId::parse(hex_only(&self.sid)?)?,
            dialect: Dialect::parse(&self.client_id)?,
            jti: read_base64(&self.jti)?,
            issued_at: moment(self.iat)?,
            expires_at: moment(self.exp)?,
            auth_time: moment(self.auth_time)?,
            credential_version: self.cver,
        })
    }
}

/// Ids have a second spelling; tokens carry the hex one.
fn hex_only(text: &str) -> Option<&str> {
    (text.len() == ID_BYTES * 2).then_some(text)
}

fn moment(seconds: i64) -> Option<Timestamp> {
    (0..=LAST_SECOND).contains(&seconds).then(|| Timestamp::from_seconds(seconds))
}

/// Signs an access token.
pub(super) fn issue(claims: &AccessClaims, realm: &Realm, signer: &Signer) -> Result<String> {
    let payload = Payload {
        iss: Cow::Borrowed(&realm.issuer),
        sub: Cow::Owned(claims.user_id.to_string()),
        aud: Cow::Borrowed(&realm.audience),
        client_id: Cow::Borrowed(claims.dialect.as_str()),
        jti: Cow::Owned(URL_SAFE_NO_PAD.encode(claims.jti)),
        iat: claims.issued_at.seconds(),
        exp: claims.expires_at.seconds(),
        auth_time: claims.auth_time.seconds(),
        sid: Cow::Owned(claims.session_id.to_string()),
        cver: claims.credential_version,
    };
    let payload = serde_json::to_vec(&payload).map_err(|error| Error::Internal(format!("access token: {error}")))?;
    sign(signer.header(), &payload, signer)
}

pub(super) fn sign(header: &str, payload: &[u8], signer: &Signer) -> Result<String> {
    // The exact capacity: a text that is cut to its size later may leave a copy behind.
    let encoded = |bytes: usize| (bytes * 4).div_ceil(3);
    let length = header.len() + 1 + encoded(payload.len()) + 1 + encoded(signer.signature_bytes());
    let mut token = String::with_capacity(length);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature =
        signer.sign(token.as_bytes()).map_err(|_| Error::Internal(format!("key {} does not sign", signer.kid())))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// Reads an access token that one of `signers` signed for `realm`.
pub(super) fn verify(
    token: &str,
    realm: &Realm,
    signers: &[Signer],
    now: Timestamp,
) -> Result<AccessClaims, Unauthenticated> {
    read(token, realm, signers).ok_or(Unauthenticated::Malformed)?.in_time(now)
}

fn read(token: &str, realm: &Realm, signers: &[Signer]) -> Option<AccessClaims> {
    if token.len() > LONGEST {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let mut buffer = [0; LONGEST / 4 * 3];
    let key = find_signer(header, signers, &mut buffer)?;
    let signature = decode(signature, &mut buffer)?;
    if !key.signed(signed.as_bytes(), signature) {
        return None;
    }
    let payload: Payload<'_> = read_object(decode(payload, &mut buffer)?)?;
    payload.read(realm)
}

/// The key that the header names. The headers that this server writes are known by their bytes;
/// only another one is parsed.
fn find_signer<'s>(header: &str, signers: &'s [Signer], buffer: &mut [u8]) -> Option<&'s Signer> {
    if let Some(signer) = signers.iter().find(|signer| signer.header() == header) {
        return Some(signer);
    }
    let header: Header<'_> = read_object(decode(header, buffer)?)?;
    let signer = signers.iter().find(|signer| header.kid.as_deref() == Some(signer.kid()))?;
    let names_the_algorithm = header.alg.as_deref() == Some(signer.algorithm().as_str());
    (names_the_algorithm && header.typ.as_deref().is_some_and(is_access_token)).then_some(signer)
}

fn is_access_token(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}

fn decode<'b>(part: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = URL_SAFE_NO_PAD.decode_slice(part, buffer).ok()?;
    buffer.get(..length)
}

/// A JSON object and no array: serde would take that for a struct too.
fn read_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    json.starts_with(b"{").then(|| serde_json::from_slice(json).ok())?
}

/// A JOSE header with no parameter twice and none that brings or names a key of its own.
#[derive(Default)]
struct Header<'a> {
    typ: Option<Cow<'a, str>>,
    alg: Option<Cow<'a, str>>,
    kid: Option<Cow<'a, str>>,
}

const REFUSED: [&str; 5] = ["crit", "jku", "jwk", "x5u", "x5c"];

impl<'de> Deserialize<'de> for Header<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header<'de>, A::Error> {
        let mut header = Header::default();
        let mut seen = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            if seen.contains(&name) || REFUSED.contains(&&*name) {
                return Err(A::Error::custom("a parameter that is refused"));
            }
            match &*name {
                "typ" => header.typ = Some(map.next_value::<Text<'_>>()?.0),
                "alg" => header.alg = Some(map.next_value::<Text<'_>>()?.0),
                "kid" => header.kid = Some(map.next_value::<Text<'_>>()?.0),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            seen.push(name);
        }
        Ok(header)
    }
}

/// A JSON string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use aws_lc_rs::hmac;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::token::Algorithm;
    use crate::store::key_material::KeyMaterial;

    const NOW: i64 = 1_700_000_000;

    /// One key of each algorithm, and one that is not ours. Made once: RSA keys take a while.
    fn keys() -> &'static (Vec<Signer>, Signer) {
        static KEYS: OnceLock<(Vec<Signer>, Signer)> = OnceLock::new();
        KEYS.get_or_init(|| {
            let make = |algorithm| {
                let keys = KeyMaterial::generate(algorithm, Timestamp::from_seconds(NOW)).unwrap();
                Signer::parse(&keys.signing_keys[0]).unwrap()
            };
            (Algorithm::ALL.map(make).into(), make(Algorithm::EdDsa))
        })
    }

    fn realm() -> Realm {
        Realm { issuer: "https://auth.example \"quoted\"".to_owned(), audience: "doorward".to_owned() }
    }

    fn claims() -> AccessClaims {
        AccessClaims {
            user_id: UserId::from_bytes([1; 12]),
            session_id: SessionId::from_bytes([2; 12]),
            dialect: Dialect::XAccessToken,
            jti: [0xff; 12],
            issued_at: Timestamp::from_seconds(NOW),
            expires_at: Timestamp::from_seconds(NOW + 900),
            auth_time: Timestamp::from_seconds(NOW - 30),
            credential_version: 4,
        }
    }

    fn verified_at(token: &str, seconds: i64) -> Result<AccessClaims, Unauthenticated> {
        verify(token, &realm(), &keys().0, Timestamp::from_seconds(seconds))
    }

    fn verified(token: &str) -> Result<AccessClaims, Unauthenticated> {
        verified_at(token, NOW)
    }

    fn parts(token: &str) -> Vec<String> {
        token.split('.').map(|part| String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(part).unwrap()).into()).collect()
    }

    /// The claims of a good token as JSON, to be spoilt.
    fn payload() -> Value {
        serde_json::from_str(&parts(&issue(&claims(), &realm(), &keys().0[0]).unwrap())[1]).unwrap()
    }

    /// A token with this header text, truly signed by our key.
    fn with_header(header: &str, signer: &Signer) -> String {
        sign(&URL_SAFE_NO_PAD.encode(header), payload().to_string().as_bytes(), signer).unwrap()
    }

    /// A token with these claims, truly signed by our key.
    fn with_payload(payload: &str) -> String {
        let signer = &keys().0[0];
        sign(signer.header(), payload.as_bytes(), signer).unwrap()
    }

    #[test]
    fn a_token_of_each_algorithm_is_read_back_as_it_was_issued() {
        for signer in &keys().0 {
            let token = issue(&claims(), &realm(), signer).unwrap();
            assert_eq!(verified(&token), Ok(claims()));
            assert_eq!(token.capacity(), token.len());
            let header: Value = serde_json::from_str(&parts(&token)[0]).unwrap();
            assert_eq!(header, json!({"typ": "at+jwt", "alg": signer.algorithm().as_str(), "kid": signer.kid()}));
        }
    }

    #[test]
    fn a_token_says_what_rfc_9068_asks_and_nothing_more() {
        assert_eq!(
            payload(),
            json!({
                "iss": "https://auth.example \"quoted\"", "aud": "doorward", "client_id": "x_access_token",
                "sub": "010101010101010101010101", "sid": "020202020202020202020202", "jti": "________________",
                "iat": NOW, "exp": NOW + 900, "auth_time": NOW - 30, "cver": 4,
            })
        );
    }

    #[test]
    fn our_own_header_in_another_order_or_case_is_taken() {
        let signer = &keys().0[0];
        let kid = signer.kid();
        for header in [
            format!(r#"{{"kid":"{kid}","alg":"EdDSA","typ":"at+jwt"}}"#),
            format!(r#"{{"typ":"AT+JWT","alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"typ":"application/AT+jwt","alg":"EdDSA","kid":"{kid}","other":[1]}}"#),
            format!(r#"{{"typ":"at\u002bjwt","alg":"EdDSA","kid":"{kid}"}}"#),
        ] {
            assert_eq!(verified(&with_header(&header, signer)), Ok(claims()), "{header}");
        }
    }

    #[test]
    fn a_header_that_is_not_an_access_tokens_is_refused_though_our_key_signed_it() {
        let signer = &keys().0[0];
        let kid = signer.kid();
        for header in [
            String::new(),
            "{}".to_owned(),
            "null".to_owned(),
            format!(r#"["at+jwt","EdDSA","{kid}"]"#),
            format!(r#"{{"typ":"JWT","alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"typ":null,"alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"typ":["at+jwt"],"alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"typ":"at+jwt","kid":"{kid}"}}"#),
            r#"{"typ":"at+jwt","alg":"EdDSA"}"#.to_owned(),
            r#"{"typ":"at+jwt","alg":"EdDSA","kid":null}"#.to_owned(),
            r#"{"typ":"at+jwt","alg":"EdDSA","kid":"elsewhere"}"#.to_owned(),
            format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{kid}","kid":"{kid}"}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"none","alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{kid}","a":1,"\u0061":1}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{kid}"}} {{}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"eddsa","kid":"{kid}"}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{}"}}"#, keys().0[1].kid()),
        ] {
            assert_eq!(verified(&with_header(&header, signer)), Err(Unauthenticated::Malformed), "{header}");
        }
        for name in ["crit", "jku", "jwk", "x5u", "x5c", "cr\\u0069t"] {
            let header = format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{kid}","{name}":[]}}"#);
            assert_eq!(verified(&with_header(&header, signer)), Err(Unauthenticated::Malformed), "{header}");
        }
    }

    /// Security row 1: the public key, in every spelling an attacker finds, as an HMAC secret.
    #[test]
    fn our_public_key_is_no_hmac_secret() {
        for signer in &keys().0 {
            let der = signer.public_key_der();
            let lines: Vec<String> =
                STANDARD.encode(&der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into()).collect();
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
            let raw = &der[der.len() - 32..];
            let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(raw));
            let secrets = [der.clone(), raw.to_vec(), format!("{pem}\n").into(), pem.into(), jwk.into(), Vec::new()];
            let claimed = ["HS256", signer.algorithm().as_str()];
            for (secret, alg) in secrets.iter().flat_map(|secret| claimed.map(|alg| (secret, alg))) {
                let header = format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{}"}}"#, signer.kid());
                let token = with_header(&header, signer);
                let (signed, _) = token.rsplit_once('.').unwrap();
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
                let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
                assert_eq!(verified(&token), Err(Unauthenticated::Malformed), "{header}");
            }
        }
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        for signer in &keys().0 {
            for alg in ["none", "None", "nOnE", "NONE", "", signer.algorithm().as_str()] {
                let header = format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{}"}}"#, signer.kid());
                let token = with_header(&header, signer);
                let (signed, signature) = token.rsplit_once('.').unwrap();
                let zeros = "A".repeat(signature.len());
                for token in
                    [format!("{signed}."), signed.to_owned(), format!("{signed}.AA"), format!("{signed}.{zeros}")]
                {
                    assert_eq!(verified(&token), Err(Unauthenticated::Malformed), "{header}");
                }
            }
        }
    }

    #[test]
    fn a_key_that_is_not_ours_signs_nothing() {
        let (ours, foreign) = keys();
        let own_name = issue(&claims(), &realm(), foreign).unwrap();
        let our_name = sign(ours[0].header(), payload().to_string().as_bytes(), foreign).unwrap();
        let with_its_key = with_header(
            &format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{}","jwk":{{"kty":"OKP"}}}}"#, foreign.kid()),
            foreign,
        );
        for token in [own_name, our_name, with_its_key] {
            assert_eq!(verified(&token), Err(Unauthenticated::Malformed));
        }
    }

    /// Security row 2: a claim of the wrong JSON type is a refusal.
    #[test]
    fn numbers_that_are_no_plain_integers_are_refused() {
        for claim in ["exp", "iat", "auth_time", "cver"] {
            for wrong in [
                "\"1700000000\"",
                "1700000000.0",
                "1700000000.5",
                "17e8",
                "-1",
                "-0",
                "0.0",
                "null",
                "true",
                "[]",
                "[1700000000]",
                "{}",
                "9223372036854775808",
                "18446744073709551616",
                "1e300",
                "99999999999999999999999999999999",
            ] {
                let mut claims = payload();
                claims[claim] = json!("@");
                let text = claims.to_string().replace("\"@\"", wrong);
                assert_eq!(verified(&with_payload(&text)), Err(Unauthenticated::Malformed), "{claim} {wrong}");
            }
        }
        for claim in ["exp", "iat", "auth_time"] {
            let mut claims = payload();
            claims[claim] = json!(i64::MAX);
            assert_eq!(verified(&with_payload(&claims.to_string())), Err(Unauthenticated::Malformed), "{claim}");
        }
    }

    #[test]
    fn a_claim_that_is_absent_twice_or_of_another_type_is_refused() {
        for claim in ["iss", "sub", "aud", "client_id", "jti", "iat", "exp", "auth_time", "sid", "cver"] {
            let whole = payload();
            let mut absent = whole.clone();
            absent.as_object_mut().unwrap().remove(claim);
            let twice = format!(r#"{{"{claim}":{},{}"#, whole[claim], &whole.to_string()[1..]);
            let mut list = whole.clone();
            list[claim] = json!([whole[claim]]);
            let mut null = whole.clone();
            null[claim] = Value::Null;
            for text in [absent.to_string(), twice, list.to_string(), null.to_string()] {
                assert_eq!(verified(&with_payload(&text)), Err(Unauthenticated::Malformed), "{claim} {text}");
            }
        }
        let order = ["iss", "sub", "aud", "client_id", "jti", "iat", "exp", "auth_time", "sid", "cver"];
        let values: Vec<Value> = order.iter().map(|claim| payload()[claim].clone()).collect();
        for text in ["", "null", "{}", "{", &json!(values).to_string(), &format!("{}x", payload())] {
            assert_eq!(verified(&with_payload(text)), Err(Unauthenticated::Malformed), "{text}");
        }
    }

    #[test]
    fn a_claim_of_another_issuer_audience_or_form_is_refused() {
        for (claim, wrong) in [
            ("iss", "https://auth.example"),
            ("iss", ""),
            ("aud", "Doorward"),
            ("aud", "doorward "),
            ("client_id", "soap"),
            ("sub", "01010101-0101-4001-8001-010101010000"),
            ("sub", "ann@example.com"),
            ("sid", ""),
            ("jti", "_______________"),
            ("jti", "________________="),
        ] {
            let mut claims = payload();
            claims[claim] = json!(wrong);
            assert_eq!(
                verified(&with_payload(&claims.to_string())),
                Err(Unauthenticated::Malformed),
                "{claim} {wrong}"
            );
        }
    }

    #[test]
    fn clocks_may_be_a_minute_apart_and_no_more() {
        let token = issue(&claims(), &realm(), &keys().0[0]).unwrap();
        assert_eq!(verified_at(&token, NOW + 959), Ok(claims()));
        assert_eq!(verified_at(&token, NOW + 960), Err(Unauthenticated::Expired));
        assert_eq!(verified_at(&token, NOW - 60), Ok(claims()));
        assert_eq!(verified_at(&token, NOW - 61), Err(Unauthenticated::Malformed));
        // The session of this one began before the clock was set back by a day.
        let goes_on = AccessClaims { auth_time: Timestamp::from_seconds(NOW + 86_400), ..claims() };
        assert_eq!(verified(&issue(&goes_on, &realm(), &keys().0[0]).unwrap()), Ok(goes_on));
    }

    #[test]
    fn a_token_that_is_over_and_forged_is_not_called_expired() {
        let token = issue(&claims(), &realm(), &keys().0[0]).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", "A".repeat(signature.len()));
        let other = Realm { audience: "elsewhere".to_owned(), ..realm() };
        let late = Timestamp::from_seconds(NOW + 9_000);
        assert_eq!(verified_at(&forged, NOW + 9_000), Err(Unauthenticated::Malformed));
        assert_eq!(verify(&token, &other, &keys().0, late), Err(Unauthenticated::Malformed));
    }

    #[test]
    fn a_token_has_three_parts_one_spelling_and_a_bound() {
        let token = issue(&claims(), &realm(), &keys().0[0]).unwrap();
        let last = token.len() - 1;
        // An Ed25519 signature leaves four spare bits in the last character.
        let same_bits = format!("{}{}", &token[..last], char::from(token.as_bytes()[last] + 1));
        for wrong in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            format!("{token}="),
            format!("{token}."),
            format!(".{token}"),
            format!(" {token}"),
            format!("{token}\n"),
            token.replacen('.', "..", 1),
            same_bits,
            with_payload(&format!("{}{}", payload(), " ".repeat(LONGEST))),
        ] {
            assert_eq!(verified(&wrong), Err(Unauthenticated::Malformed), "{wrong}");
        }
        let padding = |spaces| with_payload(&format!("{}{}", payload(), " ".repeat(spaces)));
        let spaces = (LONGEST - padding(0).len()) / 4 * 3;
        assert!(padding(spaces).len() <= LONGEST);
        assert_eq!(verified(&padding(spaces)), Ok(claims()));
        assert_eq!(verified(&padding(spaces + 3)), Err(Unauthenticated::Malformed));
    }

    #[test]
    fn a_deeply_nested_header_is_refused_at_once() {
        for nested in ["[".repeat(3_000), format!(r#"{{"a":{}{}}}"#, "[".repeat(500), "]".repeat(500))] {
            let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(nested));
            assert!(token.len() <= LONGEST);
            assert_eq!(verified(&token), Err(Unauthenticated::Malformed));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_verifier_panic(text in "\\PC{0,60}", header in "[{}\":,a-z\\\\]{0,40}", payload in "\\PC{0,60}") {
            prop_assert_eq!(verified(&text), Err(Unauthenticated::Malformed));
            prop_assert_eq!(verified(&with_header(&header, &keys().0[0])), Err(Unauthenticated::Malformed));
            prop_assert_eq!(verified(&with_payload(&payload)), Err(Unauthenticated::Malformed));
        }

        #[test]
        fn no_token_survives_a_changed_character(position in 0_usize..400, other in "[A-Za-z0-9_.-]") {
            let token = issue(&claims(), &realm(), &keys().0[0]).unwrap();
            let position = position % token.len();
            prop_assume!(token[position..=position] != other);
            let mut wrong = token;
            wrong.replace_range(position..=position, &other);
            prop_assert_eq!(verified(&wrong), Err(Unauthenticated::Malformed));
        }
    }
}
