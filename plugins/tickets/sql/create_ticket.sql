with created as (
  insert into tickets (ref, title, description, priority, category, tags, assignee, requester, due_at,
                       created_by, created_via, title_key)
  values ($1::text, $2::text, $3::text, $4::text::ticket_priority, $5::text, $6::text::text[], $7::text, $8::text,
          $9::text::timestamptz, $10::text, $11::text, $12::bigint)
  on conflict (tenant_id, ref) do nothing
  returning *
), history as (
  insert into ticket_history (ticket, version, field, actor, via_key)
  select ref, version, 'created', created_by, created_via from created
)
select local_time(created.created_at, $13::text), local_time(created.due_at, $13::text),
       twin.ref, twin.title, twin.status::text,
       twin.title = created.title and twin.description = created.description and
         twin.requester = created.requester and twin.created_via = created.created_via and
         twin.created_by = created.created_by and twin.created_at > now() - interval '60 seconds'
  from created
  left join lateral (
    select * from tickets
     where tickets.title_key = created.title_key and tickets.status < 'resolved'
     order by tickets.created_at desc, tickets.ref
     limit 3) twin on true
 order by twin.created_at desc, twin.ref
