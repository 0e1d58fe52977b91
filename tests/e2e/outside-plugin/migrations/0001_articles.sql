-- Articles of a knowledge base, and the view that makes them searchable.
create table articles (
  tenant_id  integer not null default toolhost.tenant_id(),
  ref        text collate "C" not null,
  title      text not null,
  body       text not null default '',
  remarks    text not null default '',                -- for staff only
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted    boolean not null default false,
  changed    bigint not null default pg_current_xact_id()::text::bigint,
  primary key (tenant_id, ref)
);
create index articles_by_change on articles (tenant_id, changed, ref);

create view search_documents as
select ref, 'article'::text as kind, title, body, '{}'::text[] as tags, null::text as messages, nullif(remarks, '') as notes,
       null::text as status, null::text as priority, null::text as category, null::text as assignee, null::text as requester,
       created_at, updated_at, null::timestamptz as due_at, deleted, changed
from articles;
