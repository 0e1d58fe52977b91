-- The audit: rows that are appended and never changed, chained by hash in each tenant. Tenant 0 is the host itself.

-- `at` says when, and never goes back within a chain: so whole months can be dropped, and what is left is the end of
-- each chain. The record says the exact time. The columns behind `hash` repeat the record, for filters.
create table audit (
  tenant_id  integer not null,
  sequence   bigint not null,
  at         timestamptz not null,
  record     text not null,
  hash       bytea not null,
  kind       text,
  tool       text,
  key_prefix text,
  principal  text,
  outcome    text,
  reason     text,
  primary key (tenant_id, sequence, at)
) partition by range (at);
create index audit_by_time on audit (at);
create index audit_not_ok on audit (tenant_id, sequence) where outcome <> 'ok';

-- The last row of each chain.
create table audit_heads (
  tenant_id integer primary key,
  sequence  bigint not null default 0,
  hash      bytea not null default '',
  at        timestamptz not null default '-infinity'
);

-- What a chain was at some time, sealed with a secret that the database does not know. `begins`: the rows up to this one
-- were dropped for their age, and the chain begins behind it.
create table audit_checkpoints (
  tenant_id integer not null,
  sequence  bigint not null,
  begins    boolean not null,
  hash      bytea not null,
  sealed_at timestamptz not null,
  mac       bytea not null,
  primary key (tenant_id, sequence, begins)
);

-- How far the journal of each host is in the database.
create table audit_positions (
  host_id    text primary key,
  segment    bigint not null,
  "offset"   bigint not null,
  updated_at timestamptz not null default now()
);

-- The host sees the records of every tenant, no other role sees any; and the host only appends, through the functions
-- below.
alter table audit enable row level security, force row level security;
alter table audit_heads enable row level security, force row level security;
alter table audit_checkpoints enable row level security, force row level security;
alter table audit_positions enable row level security, force row level security;
create policy host_reads_audit on audit for select to toolhost_app using (true);
create policy host_reads_heads on audit_heads for select to toolhost_app using (true);
create policy host_reads_checkpoints on audit_checkpoints for select to toolhost_app using (true);
create policy host_reads_positions on audit_positions for select to toolhost_app using (true);
create policy owner_appends on audit to toolhost_owner using (true) with check (true);
create policy owner_appends on audit_heads to toolhost_owner using (true) with check (true);
create policy owner_appends on audit_checkpoints to toolhost_owner using (true) with check (true);
create policy owner_appends on audit_positions to toolhost_owner using (true) with check (true);
grant select on audit, audit_heads, audit_checkpoints, audit_positions to toolhost_app;

-- Makes the partitions of the months from `first` to `last` that are missing.
create function audit_make_partitions(first timestamptz, last timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  month timestamptz;
  name  text;
begin
  for month in select generate_series(date_trunc('month', first), least(last, first + interval '5 years'), interval '1 month') loop
    name := 'audit_' || to_char(month, 'YYYY_MM');
    continue when to_regclass('toolhost.' || name) is not null;
    -- Two at a time would make the same one. Attaching, unlike PARTITION OF, lets rows in and out meanwhile.
    lock table toolhost.audit in share update exclusive mode;
    continue when to_regclass('toolhost.' || name) is not null;
    execute format('create table toolhost.%I (like toolhost.audit including defaults including constraints)', name);
    execute format('alter table toolhost.%I enable row level security, force row level security', name);
    execute format('alter table toolhost.audit attach partition toolhost.%I for values from (%L) to (%L)',
                   name, month, month + interval '1 month');
  end loop;
end
$$;

-- Appends JSON texts to a tenant's chain, in order; returns the number of the last one. They are not looked into beyond
-- what the columns repeat. A time in the future becomes now, one of more than two years ago (a clock that was never
-- set) as well.
create function audit_append(tenant integer, records text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  head     toolhost.audit_heads;
  item     text;
  hashes   bytea[];
  link     bytea;
  number   bigint;
  moment   timestamptz;
  earliest timestamptz;
  latest   timestamptz;
begin
  insert into toolhost.audit_heads (tenant_id) values (tenant) on conflict do nothing;
  select * into head from toolhost.audit_heads h where h.tenant_id = tenant for update;
  if cardinality(records) = 0 then
    return head.sequence;
  end if;

  link := head.hash;
  number := head.sequence;
  foreach item in array records loop
    number := number + 1;
    link := sha256(link || int8send(number) || convert_to(item, 'UTF8'));
    hashes[number - head.sequence] := link;
  end loop;

  latest := greatest(head.at, clock_timestamp());
  moment := (records[1]::jsonb ->> 'at')::timestamptz;
  earliest := greatest(head.at, case when moment between latest - interval '2 years' and latest then moment else latest end);
  perform toolhost.audit_make_partitions(earliest, latest);

  insert into toolhost.audit (tenant_id, sequence, at, record, hash, kind, tool, key_prefix, principal, outcome, reason)
  select tenant, head.sequence + n,
         greatest(head.at, max(case when f.at between latest - interval '2 years' and latest then f.at else latest end)
                             over (order by n rows unbounded preceding)),
         r, hashes[n], f.kind, f.tool, f.key, f.principal, f.outcome, f.reason
  from unnest(records) with ordinality as u (r, n),
       jsonb_to_record(r::jsonb) as f (at timestamptz, kind text, tool text, key text, principal text, outcome text, reason text);

  update toolhost.audit_heads h
  set sequence = number, hash = link,
      at = (select a.at from toolhost.audit a where a.tenant_id = tenant and a.sequence = number and a.at >= earliest)
  where h.tenant_id = tenant;
  return number;
end
$$;

-- Moves a host's position in the transaction that appends what lies between; false when it stands elsewhere by now.
create function audit_advance(host text, from_segment bigint, from_offset bigint, to_segment bigint, to_offset bigint)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into toolhost.audit_positions (host_id, segment, "offset") values (host, from_segment, from_offset)
  on conflict do nothing;
  update toolhost.audit_positions p set segment = to_segment, "offset" = to_offset, updated_at = now()
  where p.host_id = host and p.segment = from_segment and p."offset" = from_offset;
  return found;
end
$$;

-- Keeps a checkpoint, of a row that is there. False: another host has kept it (and may have dropped the row since).
create function audit_seal(tenant integer, number bigint, link bytea, moment timestamptz, seal bytea, is_beginning boolean)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from toolhost.audit_checkpoints c
             where c.tenant_id = tenant and c.sequence = number and c.begins = is_beginning and c.hash = link) then
    return false;
  end if;
  if not exists (select from toolhost.audit a where a.tenant_id = tenant and a.sequence = number and a.hash = link) then
    raise exception 'row % of the chain of tenant % is not the one that is sealed', number, tenant;
  end if;
  insert into toolhost.audit_checkpoints (tenant_id, sequence, begins, hash, sealed_at, mac)
  values (tenant, number, is_beginning, link, moment, seal) on conflict do nothing;
  return found;
end
$$;

-- Drops the months that end at or before `oldest`. Where a chain will begin must have been sealed as its beginning.
create function audit_drop_before(oldest timestamptz) returns setof text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '2s' as $$
declare
  cut  constant timestamptz := date_trunc('month', least(oldest, now()));
  head record;
  name text;
begin
  lock table toolhost.audit in share update exclusive mode;
  for head in
    select h.tenant_id, a.sequence
    from toolhost.audit_heads h
         cross join lateral (select max(b.sequence) as sequence from toolhost.audit b
                             where b.tenant_id = h.tenant_id and b.at < cut) a
    where a.sequence is not null
  loop
    if not exists (select from toolhost.audit_checkpoints c
                   where c.tenant_id = head.tenant_id and c.sequence = head.sequence and c.begins) then
      raise exception 'row % of the chain of tenant % is not sealed', head.sequence, head.tenant_id;
    end if;
    delete from toolhost.audit_checkpoints c where c.tenant_id = head.tenant_id and c.sequence < head.sequence;
  end loop;
  for name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'toolhost.audit'::regclass and c.relname < 'audit_' || to_char(cut, 'YYYY_MM')
    order by c.relname
  loop
    execute format('drop table toolhost.%I', name);
    return next name;
  end loop;
end
$$;

revoke execute on function audit_make_partitions(timestamptz, timestamptz), audit_append(integer, text[]),
  audit_advance(text, bigint, bigint, bigint, bigint), audit_seal(integer, bigint, bytea, timestamptz, bytea, boolean),
  audit_drop_before(timestamptz) from public;
grant execute on function audit_make_partitions(timestamptz, timestamptz), audit_append(integer, text[]),
  audit_advance(text, bigint, bigint, bigint, bigint), audit_seal(integer, bigint, bytea, timestamptz, bytea, boolean),
  audit_drop_before(timestamptz) to toolhost_app;

-- Every chain has a first row, so one without is one that was removed. Those of later tenants begin with their creation.
select audit_append(id, array[format('{"at":"%s","kind":"audit_began"}',
                                     to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))])
from (select 0 as id union all select id from tenants) t order by id;
