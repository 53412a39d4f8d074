"""Verifies access tokens as a server elsewhere does that knows no more than where the keys are
published: python3 verify.py KEYS ISSUER AUDIENCE. Reads a token a line, and writes a line of JSON for
each: what it says, or why it is refused. All of it is PyJWT's doing but for the type, which it leaves to
its caller."""

import json
import sys

import jwt

# What RFC 9068 asks of an access token.
REQUIRED = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]


def verified(token, keys, algorithms, issuer, audience):
    if jwt.get_unverified_header(token).get("typ", "").lower() not in ("at+jwt", "application/at+jwt"):
        raise jwt.InvalidTokenError("it is no access token")
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(
        token,
        key.key,
        # By the key, never by the token (RFC 8725, 3.1).
        algorithms=[algorithms[key.key_id]],
        issuer=issuer,
        audience=audience,
        options={"require": REQUIRED},
    )


def main():
    address, issuer, audience = sys.argv[1:]
    keys = jwt.PyJWKClient(address)
    published = keys.fetch_data()["keys"]
    algorithms = {key["kid"]: key["alg"] for key in published}
    for line in sys.stdin:
        try:
            answer = {"claims": verified(line.rstrip("\n"), keys, algorithms, issuer, audience)}
        except (jwt.PyJWTError, KeyError) as error:
            answer = {"refused": type(error).__name__}
        print(json.dumps(answer))


main()
