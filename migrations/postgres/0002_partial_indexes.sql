-- A partial index serves only a statement that names its condition in the same words: `= true`.
drop index users_admin;
drop index tokens_foreign;

create index users_admin on users (id) where admin = true;
create index tokens_foreign on tokens (secret_hash) where foreign_form = true;
