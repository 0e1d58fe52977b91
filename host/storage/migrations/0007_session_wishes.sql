-- What the clients of sessions want to be told, for the host that recovers a session from its id. Of a session only a
-- hash is stored.
create table session_wishes (
  session_hash bytea not null check (length(session_hash) = 32),
  key_id       bigint not null,
  uri          text not null,  -- of a resource that the client follows; empty: its log level
  level        smallint,       -- the log level; with a URI: null
  told_at      timestamptz not null default now(),
  primary key (session_hash, uri)
);
create index session_wishes_of_key on session_wishes (key_id, told_at);
create index session_wishes_by_age on session_wishes (told_at);
grant select, insert, delete, update (level, told_at) on session_wishes to toolhost_app;

alter table session_wishes enable row level security, force row level security;
create policy host_sees_wishes on session_wishes to toolhost_app using (true) with check (true);
