-- Tenants, and the API keys that act for them. Runs as toolhost_owner, with search_path toolhost.

create table tenants (
  id         integer generated always as identity primary key,
  name       text not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  title      text not null check (length(title) between 1 and 200),
  time_zone  text not null,
  created_at timestamptz not null default now()
);
grant select, insert on tenants to toolhost_app;

-- Of a key only an HMAC-SHA-256 is stored; prefix is what may be shown.
create table api_keys (
  tenant_id      integer not null references tenants (id) on delete cascade,
  key_id         bigint generated always as identity,
  name           text not null check (length(name) between 1 and 200),
  owner          text not null default '' check (length(owner) <= 320),
  prefix         text not null check (length(prefix) between 5 and 32),
  hash           bytea not null unique check (length(hash) = 32),
  pepper_version integer not null,
  created_at     timestamptz not null default now(),
  last_used_at   timestamptz,
  usage_count    bigint not null default 0,
  primary key (tenant_id, key_id)
);
create unique index api_keys_by_id on api_keys (key_id);
create index api_keys_by_prefix on api_keys (prefix);

-- The host verifies keys of every tenant, so its role sees them all; no other role sees any.
alter table api_keys enable row level security, force row level security;
create policy host_sees_all_keys on api_keys to toolhost_app using (true) with check (true);
grant select, insert, delete, update (last_used_at, usage_count) on api_keys to toolhost_app;

-- Every host hears of a change in the transaction that makes it. Counting uses is no change.
create function announce_keys() returns trigger language plpgsql as $$
begin
  notify toolhost_keys;
  return null;
end
$$;
create trigger keys_changed after insert or delete or update of name, owner, hash, pepper_version on api_keys
  for each statement execute function announce_keys();
create trigger tenants_changed after update on tenants
  for each statement execute function announce_keys();
