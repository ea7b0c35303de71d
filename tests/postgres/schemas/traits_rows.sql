-- Tenants 1 and 2 with the same rows, and what is nobody's.
SET session_replication_role = replica;
INSERT INTO plans VALUES (1, 'free');
INSERT INTO templates (name) VALUES ('for all');
INSERT INTO addresses (street) VALUES ('of nobody');
INSERT INTO people (id, mail) SELECT p, p || '@x' FROM generate_series(1, 3) AS p;
DO $$
DECLARE address uuid; issue bigint; page bigint; comment bigint; hook bigint; deal bigint;
BEGIN
  FOR t IN 1..2 LOOP
    INSERT INTO addresses (street) VALUES ('of ' || t) RETURNING id INTO address;
    INSERT INTO geocodes VALUES (address, point(1, t));
    INSERT INTO tenants (hostname, plan_id, owner_id, address_id) VALUES ('h' || t, 1, t, address);
    INSERT INTO users (tenant_id, mail) VALUES (t, t || '@users');
    INSERT INTO projects VALUES (t, 1), (t, 2);
    INSERT INTO issues (tenant_id, project_id) VALUES (t, 1), (t, 2);
    SELECT max(id) INTO issue FROM issues;
    INSERT INTO comments (issue_id, author_id) VALUES (issue, t) RETURNING id INTO comment;
    INSERT INTO reactions VALUES (comment, 'up'), (comment, 'up');
    INSERT INTO reaction_reads (comment_id) VALUES (comment);
    INSERT INTO pages (tenant_id, body) VALUES (t, 'text') RETURNING id INTO page;
    INSERT INTO pages_old (tenant_id, body) VALUES (t, 'old'), (t, 'older');
    INSERT INTO attachments (issue_id) VALUES (issue);
    INSERT INTO attachments (page_id) VALUES (page);
    INSERT INTO templates (tenant_id, name) VALUES (t, 'own');
    INSERT INTO webhooks (tenant_id, url) VALUES (t, 'u') RETURNING id INTO hook;
    INSERT INTO webhook_calls (webhook_id) VALUES (hook), (hook);
    INSERT INTO votes (subject_type, subject_id) VALUES ('Issue', issue), ('Page', page), ('Ghost', page);
    INSERT INTO notes (tenant_id) VALUES (t);
    INSERT INTO audit (tenant_id, what) VALUES (t, 'made');
    INSERT INTO events VALUES (t, '2024-05-05', t), (t, '2025-05-05', NULL);
    INSERT INTO memberships VALUES (t, t), (t, 3);
    INSERT INTO bookings (tenant_id, during) VALUES (t, tsrange('2024-01-01', '2024-01-02') * 'empty'::tsrange);
    INSERT INTO crm."Deals" ("tenantId") VALUES (t) RETURNING "Id" INTO deal;
    INSERT INTO crm."DealNotes" ("dealId") VALUES (deal);
  END LOOP;
END $$;
