-- What bounds a key: its scopes, its end, a switch. And which key took its place.

alter table api_keys
  add column scopes      text[] not null default '{}' check (cardinality(scopes) <= 64 and array_position(scopes, null) is null),
  add column expires_at  timestamptz check (isfinite(expires_at)),
  add column disabled    boolean not null default false,
  -- Stays when that key is deleted: this one was replaced all the same.
  add column replaced_by bigint;

-- What a key may do never changes; when it ends and whether it is let in may.
grant update (expires_at, disabled, replaced_by) on api_keys to toolhost_app;

drop trigger keys_changed on api_keys;
create trigger keys_changed
  after insert or delete
     or update of name, owner, hash, pepper_version, scopes, expires_at, disabled, replaced_by on api_keys
  for each statement execute function announce_keys();

-- What a tenant is called and where its people are may change; what it is named by may not.
grant update (title, time_zone) on tenants to toolhost_app;
