-- Indexes of every foreign key, then the keys.
CREATE INDEX ON users (tenant_id, created_at);
CREATE INDEX ON groups (tenant_id);
CREATE INDEX ON memberships (user_id);
CREATE INDEX ON projects (lead_id);
CREATE INDEX ON issues (tenant_id, created_at); CREATE INDEX ON issues (parent_id);
CREATE INDEX ON issues (reporter_id); CREATE INDEX ON issues (assignee_id);
CREATE INDEX ON comments (tenant_id); CREATE INDEX ON comments (issue_id); CREATE INDEX ON comments (author_id);
CREATE INDEX ON pages (tenant_id); CREATE INDEX ON pages (parent_id); CREATE INDEX ON pages (author_id);
CREATE INDEX ON attachments (issue_id); CREATE INDEX ON attachments (uploader_id);
CREATE INDEX ON permissions (tenant_id); CREATE INDEX ON permissions (group_id); CREATE INDEX ON permissions (project_id);
CREATE INDEX ON audit (tenant_id, at); CREATE INDEX ON audit (actor_id);
ALTER TABLE tenants ADD FOREIGN KEY (plan_id) REFERENCES plans, ADD FOREIGN KEY (owner_id) REFERENCES users;
ALTER TABLE users ADD FOREIGN KEY (tenant_id) REFERENCES tenants;
ALTER TABLE groups ADD FOREIGN KEY (tenant_id) REFERENCES tenants;
ALTER TABLE memberships ADD FOREIGN KEY (group_id) REFERENCES groups, ADD FOREIGN KEY (user_id) REFERENCES users;
ALTER TABLE projects ADD FOREIGN KEY (tenant_id) REFERENCES tenants, ADD FOREIGN KEY (lead_id) REFERENCES users;
ALTER TABLE issues ADD FOREIGN KEY (tenant_id) REFERENCES tenants, ADD FOREIGN KEY (project_id) REFERENCES projects,
  ADD FOREIGN KEY (parent_id) REFERENCES issues, ADD FOREIGN KEY (reporter_id) REFERENCES users,
  ADD FOREIGN KEY (assignee_id) REFERENCES users;
ALTER TABLE comments ADD FOREIGN KEY (tenant_id) REFERENCES tenants, ADD FOREIGN KEY (issue_id) REFERENCES issues,
  ADD FOREIGN KEY (author_id) REFERENCES users;
ALTER TABLE pages ADD FOREIGN KEY (tenant_id) REFERENCES tenants, ADD FOREIGN KEY (parent_id) REFERENCES pages,
  ADD FOREIGN KEY (author_id) REFERENCES users;
ALTER TABLE attachments ADD FOREIGN KEY (issue_id) REFERENCES issues, ADD FOREIGN KEY (uploader_id) REFERENCES users;
ALTER TABLE permissions ADD FOREIGN KEY (tenant_id) REFERENCES tenants, ADD FOREIGN KEY (group_id) REFERENCES groups,
  ADD FOREIGN KEY (project_id) REFERENCES projects;
ALTER TABLE app_installs ADD FOREIGN KEY (tenant_id) REFERENCES tenants;
ALTER TABLE audit ADD FOREIGN KEY (tenant_id) REFERENCES tenants, ADD FOREIGN KEY (actor_id) REFERENCES users;
VACUUM (ANALYZE);
