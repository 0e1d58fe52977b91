-- The search index: segments of documents that never change, and beside each what of it is dead. See README.md.

-- How far the index of a tenant goes. No row: nothing is indexed yet.
create table index_state (
  tenant_id          integer not null default toolhost.tenant_id(),
  index_id           text not null default gen_random_uuid()::text,  -- tells this index from every other, for caches
  generation         integer not null default 1,      -- the one that searches read
  language           text not null,                   -- and the version of the index's form: "english/1"
  building           integer,                         -- a generation that will take its place
  building_language  text,
  begun_at           timestamptz not null default now(),  -- when a generation was last begun
  building_total     bigint not null default 0,       -- documents when it began
  next_generation    integer not null default 2,
  next_segment       integer not null default 1,
  primary key (tenant_id)
);

-- How far a generation goes in each plugin that it has documents of. No row: nothing of it is indexed yet.
create table index_sources (
  tenant_id  integer not null default toolhost.tenant_id(),
  generation integer not null,
  source     text collate "C" not null,               -- id of the plugin
  watermark  bigint not null,                         -- what changed in earlier transactions is in it
  primary key (tenant_id, generation, source)
);

create table segments (
  tenant_id    integer not null default toolhost.tenant_id(),
  segment      integer not null,
  identity     text not null default gen_random_uuid()::text,  -- tells it from every other, for caches
  generation   integer not null,
  docs         integer not null,                      -- numbered from 0
  columns      bytea not null,                        -- segment.hpp, Columns
  vocabulary   bytea not null,                        -- speller.hpp, Vocabulary
  dead         bytea not null default '',             -- bitmap of the documents that a newer segment has, or nobody
  dead_docs    integer not null default 0,
  dead_version integer not null default 0,
  primary key (tenant_id, segment)
);
alter table segments alter column dead set storage external;

create table postings (
  tenant_id integer not null default toolhost.tenant_id(),
  term      text collate "C" not null,
  segment   integer not null,
  docs      integer not null,
  postings  bytea not null,                           -- postings.hpp
  positions bytea not null,
  primary key (tenant_id, term, segment)
);
-- The bytes are compact already.
alter table postings alter column postings set storage external, alter column positions set storage external;

-- Where the present state of each document is.
create table documents (
  tenant_id  integer not null default toolhost.tenant_id(),
  generation integer not null,
  source     text collate "C" not null,               -- id of the plugin that has it
  ref        text collate "C" not null,
  segment    integer not null,
  doc        integer not null,
  changed    bigint not null,
  primary key (tenant_id, generation, source, ref)
);

-- A moment as ISO 8601 in the tenant's own time with its offset: 2026-11-23T14:05:09+01:00.
create function local_time(moment timestamptz, zone text) returns text language sql stable as $$
  select to_char(moment at time zone zone, 'YYYY-MM-DD"T"HH24:MI:SS') ||
         case when moment at time zone zone < moment at time zone 'UTC' then '-' else '+' end ||
         to_char(greatest(moment at time zone zone, moment at time zone 'UTC') -
                 least(moment at time zone zone, moment at time zone 'UTC'), 'HH24:MI')
$$;
