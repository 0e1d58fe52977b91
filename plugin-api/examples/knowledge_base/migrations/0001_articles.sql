create table articles (
  tenant_id  integer not null default toolhost.tenant_id(),
  id         text collate "C" not null,
  title      text not null,
  body       text not null,
  tags       text[] not null default '{}',
  author     text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- The transaction that last changed the row: what the search plugin asks for.
  changed    bigint not null default pg_current_xact_id()::text::bigint,
  words      tsvector not null generated always as (
    setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', body), 'B')) stored,
  primary key (tenant_id, id)
);
create index articles_by_word on articles using gin (words);
create index articles_by_change on articles (tenant_id, changed, id);

-- What other plugins may read. With this view alone the search plugin finds articles beside tickets and tasks.
create view search_documents as
  select id as ref, 'article'::text as kind, title, body, null::text as messages, null::text as notes, tags,
         null::text as status, null::text as priority, null::text as category, null::text as assignee,
         author as requester, created_at, updated_at, null::timestamptz as due_at, false as deleted, changed
    from articles;
