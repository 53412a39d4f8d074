"""A real mail server for the tests: takes mails, or does what the file `mode` in its folder says, which may change while
it runs. Each mail that it takes is a JSON file; what happens is a line in `events`. Ends with its standard input."""

import argparse
import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

FOR_EVER = 3600


class Silent(asyncio.Protocol):
    """A server that takes connections and says nothing."""


class Keeper:
    def __init__(self, folder, login):
        self.folder = folder
        self.login = login
        self.count = 0

    def mode(self):
        with open(os.path.join(self.folder, "mode"), encoding="utf-8") as file:
            return file.read().strip()

    def event(self, text):
        with open(os.path.join(self.folder, "events"), "a", encoding="utf-8") as file:
            file.write(text + "\n")

    def authenticate(self, server, session, envelope, mechanism, data):
        given = (data.login.decode(), data.password.decode())
        is_right = given == self.login
        self.event("login " + ("right" if is_right else "wrong"))
        return AuthResult(success=is_right, handled=False)

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.mode() == "sender":
            return "550 5.7.1 you do not send from here"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        mode = self.mode()
        self.event("rcpt " + address)
        if mode == "later":
            return "451 4.7.1 try again later"
        if mode == "never" or (mode == "never-eve" and address.startswith("eve@")):
            return "550 5.1.1 <" + address + ">: no such user"
        if mode == "hang-rcpt":
            await asyncio.sleep(FOR_EVER)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mode = self.mode()
        self.event("data")
        if mode == "never-data":
            return "554 5.6.0 not this message"
        if mode == "hang-data":
            await asyncio.sleep(FOR_EVER)
        self.keep(server, session, envelope)
        if mode == "drop":
            server.transport.abort()
        return "250 2.0.0 queued as %d" % self.count

    def keep(self, server, session, envelope):
        self.count += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "message": envelope.content.decode(),
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "hello": session.host_name,
        }
        name = os.path.join(self.folder, "%06d" % self.count)
        with open(name + ".unfinished", "w", encoding="utf-8") as file:
            json.dump(mail, file)
        os.rename(name + ".unfinished", name + ".json")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--security", choices=["none", "starttls", "tls"], default="none")
    parser.add_argument("--login")
    parser.add_argument("--ascii", action="store_true")
    arguments = parser.parse_args()
    context = None
    if arguments.security != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = [os.path.join(arguments.folder, name) for name in ("certificate.pem", "key.pem")]
        context.load_cert_chain(*files)
    login = tuple(arguments.login.split(":", 1)) if arguments.login else None
    keeper = Keeper(arguments.folder, login)
    is_starttls = arguments.security == "starttls"

    def protocol():
        keeper.event("connect")
        if keeper.mode() == "hang":
            return Silent()
        return SMTP(
            keeper,
            hostname="mail.example.com",
            loop=asyncio.get_running_loop(),
            enable_SMTPUTF8=not arguments.ascii,
            tls_context=context if is_starttls else None,
            require_starttls=is_starttls,
            authenticator=keeper.authenticate if login else None,
            auth_required=login is not None,
            auth_require_tls=is_starttls,
        )

    wrapper = context if arguments.security == "tls" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=wrapper)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
