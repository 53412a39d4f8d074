-- What administrators look for among millions. One index for each way to look, so that also what is rare is found at
-- once: whoever looks for the few that are disabled or active must not pass by all others.
create index users_active on users (id) where status = 'active';
create index users_active_email on users (email_key) where status = 'active';
create index users_active_username on users (username_key) where status = 'active';
create index users_disabled on users (id, status) where status = 'disabled';
create index users_disabled_email on users (email_key) where status = 'disabled';
create index users_disabled_username on users (username_key) where status = 'disabled';
create index users_admin_email on users (email_key) where admin = true;
create index users_admin_username on users (username_key) where admin = true;

-- All that counting them needs is in the first. Of one user there may be far more that are over.
create index sessions_live on sessions (id, expires_at, ended_at) where ended_at is null;
create index sessions_live_user on sessions (user_id, id) where ended_at is null;

-- `lower` knows the letters from A to Z alone.
create index projects_name on projects (lower(name), created_at, id);
create index projects_user_name on projects (user_id, lower(name), created_at, id);
