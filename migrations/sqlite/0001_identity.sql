create table meta (
    name text primary key,
    value text not null
) strict, without rowid;

create table counters (
    name text primary key,
    value integer not null
) strict, without rowid;

insert into counters (name, value) values ('changes', 0);

create table changes (
    seq integer primary key,
    kind text not null,
    id blob not null,
    at integer not null
) strict;

create index changes_at on changes (at);

create table users (
    id blob primary key,
    email text,
    email_key text unique,
    username text,
    username_key text unique,
    name text,
    bio text,
    password text,
    status text not null,
    permissions text not null,
    admin integer not null,
    flags text not null,
    plan_worker text not null,
    credential_version integer not null,
    email_verified_at integer,
    created_at integer not null,
    updated_at integer not null,
    check (email_key is not null or username_key is not null)
) strict;

create index users_admin on users (id) where admin = 1;

create table tokens (
    id blob primary key,
    user_id blob not null references users (id) on delete cascade,
    secret_hash blob not null unique,
    foreign_form integer not null,
    kind text not null,
    name text not null,
    admin integer not null,
    head text not null,
    tail text not null,
    sealed blob,
    expires_at integer,
    created_at integer not null
) strict;

create index tokens_user on tokens (user_id, id);
create index tokens_expiry on tokens (expires_at) where expires_at is not null;
create index tokens_foreign on tokens (id) where foreign_form = 1;

create table sessions (
    id blob primary key,
    user_id blob not null references users (id) on delete cascade,
    dialect text not null,
    created_at integer not null,
    last_used_at integer not null,
    expires_at integer not null,
    generation integer not null,
    key_id integer not null,
    rotated_at integer not null,
    ended_at integer,
    address text,
    user_agent text
) strict, without rowid;

create index sessions_user on sessions (user_id, id);
create index sessions_expiry on sessions (expires_at);
create index sessions_ended on sessions (ended_at) where ended_at is not null;

create table mail_secrets (
    secret_hash blob primary key,
    user_id blob not null references users (id) on delete cascade,
    purpose text not null,
    email_key text not null,
    created_at integer not null,
    expires_at integer not null
) strict, without rowid;

create index mail_secrets_user on mail_secrets (user_id);
create index mail_secrets_expiry on mail_secrets (expires_at);

create table projects (
    id blob primary key,
    user_id blob not null references users (id) on delete cascade,
    name text not null,
    kind text not null,
    partner text not null,
    status text not null,
    total_duration integer not null,
    max_schedules integer not null,
    schedules_count integer not null,
    task_count integer not null,
    hourly_task_count integer not null,
    hourly_time integer not null,
    flags text not null,
    created_at integer not null
) strict;

create index projects_user on projects (user_id, id);

create table project_shares (
    project_id blob not null references projects (id) on delete cascade,
    user_id blob not null references users (id) on delete cascade,
    primary key (project_id, user_id)
) strict, without rowid;

create index project_shares_user on project_shares (user_id, project_id);

create table audit_events (
    id integer primary key,
    at integer not null,
    action text not null,
    user_id blob,
    subject text not null,
    address text
) strict;

create index audit_events_at on audit_events (at);
