# The tracker's pages with Active Record.

require "active_record"
require "pg"
require "json"
require_relative "../labels"
include Labels

# As in a Rails application of today.
ActiveRecord::Base.belongs_to_required_by_default = true

class Team < ActiveRecord::Base
  has_many :members
end

class Member < ActiveRecord::Base
  belongs_to :team
  has_many :reported, class_name: "Ticket", foreign_key: :reporter_id
  has_many :remarks, as: :subject
  validates :handle, uniqueness: true
end

class Project < ActiveRecord::Base
  self.primary_key = :slug
  belongs_to :owner, class_name: "Member"
end

class Milestone < ActiveRecord::Base
  has_many :remarks, as: :subject
end

class Category < ActiveRecord::Base
  has_many :children, -> { order(:id) }, class_name: "Category", foreign_key: :parent_id
end

class Label < ActiveRecord::Base; end

class TicketLabel < ActiveRecord::Base
  belongs_to :ticket
  belongs_to :label
end

class Ticket < ActiveRecord::Base
  belongs_to :project, foreign_key: :project_slug
  belongs_to :reporter, class_name: "Member"
  belongs_to :assignee, class_name: "Member", optional: true
  belongs_to :milestone, optional: true
  has_many :files, class_name: "Attached"
  has_many :ticket_labels
  has_many :labels, through: :ticket_labels
  has_many :remarks, as: :subject
end

class Attached < ActiveRecord::Base
  self.table_name = "files"
  belongs_to :ticket
end

class Remark < ActiveRecord::Base
  belongs_to :subject, polymorphic: true
  belongs_to :author, class_name: "Member"
end

class Option < ActiveRecord::Base
  self.primary_key = :name
end

class Job < ActiveRecord::Base
  belongs_to :ticket
end

def page(name)
  scenario(name) do
    ActiveRecord::Base.establish_connection(URL)
    yield
    ActiveRecord::Base.connection_pool.disconnect!
  end
end

def tickets(count = 20) = Ticket.order(:id).limit(count)

page "a reporter per ticket in a template" do
  rows = tickets(23).to_a
  rows.map { |row| "<td>#{row.title}</td><td>#{row.reporter.handle}</td>" }.join
  expect_loop("from tickets", "from members", rows.size)
end

page "a reporter per ticket behind the query cache" do
  rows = []
  ActiveRecord::Base.cache do
    rows = tickets(60).to_a
    rows.each { |row| row.reporter.handle }
  end
  expect_loop("from tickets", "from members", rows.map(&:reporter_id).uniq.size)
end

page "counted, asked whether any, loaded" do
  rows = tickets(14).to_a
  rows.each do |row|
    row.files.count
    row.files.where(bytes: 5000..).exists?
    row.labels.to_a
  end
  expect_loop("from tickets", "count(*)", rows.size)
  expect_loop("from tickets", "as one", rows.size)
  expect_loop("from tickets", "from labels", rows.size)
end

page "subjects of remarks" do
  rows = Remark.order(:id).limit(45).to_a
  rows.each { |row| row.subject&.id }
  { "Ticket" => "tickets", "Milestone" => "milestones", "Member" => "members" }.each do |type, table|
    expect_loop("from remarks", "from #{table}", rows.count { |row| row.subject_type == type })
  end
end

page "subjects of few remarks" do
  # Eleven in all, but fewer than five of a kind: one loop whose child alternates. The piece is in each of them.
  rows = Remark.order(:id).limit(11).to_a
  rows.each { |row| row.subject&.id }
  expect_loop("from remarks", ".id = ? limit ?", rows.size)
end

page "nested JSON" do
  projects = Project.order(:title).limit(7).to_a
  asked = 0
  body = projects.map do |project|
    owned = Ticket.where(project_slug: project.slug).order(:id).limit(4).to_a
    asked += owned.size
    { title: project.title, owner: project.owner.handle, tickets: owned.map { |row| { title: row.title, by: row.reporter.handle } } }
  end
  JSON.generate(body)
  expect_loop("from projects", "from tickets", projects.size)
  expect_loop("from projects", "from members", projects.size)
  expect_loop("from tickets", "from members", asked)
end

page "in batches, with a milestone where there is one" do
  # Each batch is a list of its own.
  Ticket.where(id: ..90).find_in_batches(batch_size: 30) do |rows|
    rows = rows.reject { |row| row.milestone_id.nil? }
    rows.each { |row| row.milestone.title }
    expect_loop("from tickets", "from milestones", rows.size)
  end
end

page "a tree by depth" do
  asked = 0
  walk = lambda do |node|
    asked += 1
    node.children.each(&walk)
  end
  roots = Category.where(parent_id: nil).order(:id).to_a
  roots.each(&walk)
  expect_loop("parent_id is null", "parent_id =", roots.size)
  expect_loop("parent_id =", "parent_id =", asked - roots.size)
end

page "validated and saved one by one" do
  rows = Member.order(:id).limit(12).to_a
  rows.each do |row|
    row.handle = "#{row.handle}-new"
    row.save!
  end
  # belongs_to and uniqueness ask before each write: the team of each member, and whether the handle is taken.
  expect_loop("from members", "from teams", rows.size)
  expect_loop("order by", "as one", rows.size)
end

page "a job and its ticket in a transaction" do
  rows = Job.where(kind: "mail").order(id: :desc).to_a
  rows.each do |job|
    Job.transaction do
      job.ticket.lock!
      job.update!(state: "done")
    end
  end
  # belongs_to keeps the ticket; lock! reads it again.
  expect_loop("from jobs", "for update", rows.size)
  expect_loop("from jobs", "from tickets where tickets.id = ? limit ?", rows.size)
end

page "threads with connections of their own" do
  rows = tickets(20).to_a
  queue = Queue.new
  rows.each { |row| queue << row.id }
  workers = Array.new(4) do
    Thread.new do
      ActiveRecord::Base.connection_pool.with_connection do
        while (key = queue.shift(true) rescue nil)
          Attached.where(ticket_id: key).sum(:bytes)
        end
      end
    end
  end
  workers.each(&:join)
  expect_loop("from tickets", "sum(", rows.size)
end

page "made by factories and listed" do
  made = Array.new(11) do |at|
    Ticket.create!(title: "made", state: "made", points: 2, project_slug: "project-3", reporter: Member.find_by!(handle: "member-5"))
  end
  rows = Ticket.where(state: "made").order(:id).to_a
  rows.each { |row| row.files.count }
  # belongs_to asks for the project of each before it is written, which is the program's own constant.
  expect_loop("from tickets", "count(*)", made.size)
end

page "plucked keys and found members" do
  keys = Ticket.where(state: "review").order(:id).limit(19).pluck(:reporter_id)
  keys.each { |key| Member.find(key) }
  expect_loop("from tickets", "from members", keys.size)
end

page "a page with partials" do
  rows = tickets(12).to_a
  rows.each do |row|
    row.reporter.team.name
    row.assignee&.handle
    row.remarks.order(:id).each { |remark| remark.author.handle }
  end
  remarks = rows.sum { |row| row.remarks.to_a.size }
  expect_loop("from tickets", "from members", rows.size + rows.count { |row| !row.assignee_id.nil? })
  expect_loop("from members", "from teams", rows.size)
  expect_loop("from tickets", "from remarks where remarks.subject_id = ? and remarks.subject_type = ? order by", rows.size)
  expect_loop("from tickets", "from remarks", rows.size)
  expect_loop("from remarks", "from members", remarks)
end

page "preloaded" do
  tickets(40).preload(:reporter, :files, labels: []).each { |row| row.files.size + row.labels.size }
end

page "eager loaded" do
  tickets(40).eager_load(:reporter, :milestone).each { |row| row.reporter.handle }
end

page "included over a polymorphic association" do
  Remark.order(:id).limit(60).includes(:subject, author: :team).each { |row| row.author.team.name }
end

page "upserted and inserted together" do
  Option.upsert_all(Array.new(30) { |at| { name: "option_#{at}", value: "x" } }, unique_by: :name)
  Job.insert_all(Array.new(30) { |at| { kind: "mail", ticket_id: at + 1, state: "new" } })
end

page "sizes of collections that are loaded" do
  Ticket.order(:id).limit(30).includes(:files, :labels).each { |row| [row.files.size, row.labels.any?, row.files.map(&:name)] }
end

page "counted in groups for a page" do
  rows = tickets(30).to_a
  counts = Attached.where(ticket_id: rows.map(&:id)).group(:ticket_id).count
  rows.map { |row| counts.fetch(row.id, 0) }
end

page "made by factories with one author" do
  author = Member.find_by!(handle: "member-9")
  project = Project.find("project-4")
  9.times { Ticket.create!(title: "made", state: "made", points: 1, project: project, reporter: author) }
end

page "one ticket, shown" do
  ticket = Ticket.find(72)
  [ticket.reporter.team.name, ticket.project.owner.handle, ticket.milestone&.title, ticket.labels.to_a]
  ticket.remarks.includes(:author).map { |remark| remark.author.handle }
end

page "tables described" do
  ActiveRecord::Base.connection.tables.each { |table| ActiveRecord::Base.connection.columns(table) }
end

page "batches of keys" do
  Ticket.in_batches(of: 50) { |batch| batch.where(state: "review").update_all(state: "open") }
end

page "a sum per state" do
  Ticket.group(:state).sum(:points)
  Ticket.joins(:reporter).group("members.team_id").count
end

page "a user of each request" do
  token = "2f5b6d0a9c"
  6.times do |number|
    Member.find_by(id: 17) if Option.where(name: token).none?
    tickets(10).offset(number * 10).load
    sleep 0.09
  end
end

main("activerecord #{ActiveRecord::VERSION::STRING}, pg #{PG::VERSION}")
