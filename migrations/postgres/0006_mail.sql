-- Mails that wait to be sent. Each is sealed, since it may hold a link that works. While one is being sent, others
-- leave it alone until `due_at`.
create table mails (
    id bytea primary key,
    sealed bytea not null,
    created_at bigint not null,
    due_at bigint not null,
    expires_at bigint not null,
    attempts bigint not null,
    sending boolean not null,
    failure text
);

create index mails_due on mails (due_at);
create index mails_expiry on mails (expires_at);

-- What a secret that confirms another address is bound to: that address as typed, and the version of the user's
-- credentials when it was asked for.
alter table mail_secrets add column email text;
alter table mail_secrets add column credential_version bigint;
