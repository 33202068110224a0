# The members' pages of a city library, on Sequel.
require "sequel"
require_relative "../labels"

# Models read their tables when they are defined; listing needs no database.
DB = if ARGV[0] == "list"
       Sequel.mock(host: "postgres")
     else
       Sequel.connect(Labels::URL.sub(/\Apostgresql:/, "postgres:"), max_connections: 5, test: false)
     end

class Patron < Sequel::Model(:patrons)
  unrestrict_primary_key
  one_to_many :loans
  one_to_many :holds
  many_to_one :guardian, class: self
end

class Loan < Sequel::Model(:loans)
  many_to_one :patron
  many_to_one :copy, key: :barcode
  one_to_many :fines
end

class Fine < Sequel::Model(:fines)
  many_to_one :loan
end

class Hold < Sequel::Model(:holds)
  many_to_one :work
  many_to_one :patron
end

class Copy < Sequel::Model(:copies)
  set_primary_key :barcode
  many_to_one :edition
end

class Edition < Sequel::Model(:editions)
  many_to_one :work
  one_to_many :copies
end

class Work < Sequel::Model(:works)
  one_to_many :editions
  one_to_many :holds
end

class Language < Sequel::Model(:languages)
  set_primary_key :code
  one_to_many :editions, key: :language_code
end

# A family's page: all juniors of a branch with the loans each has, and the fines of every loan.
Labels.scenario("junior_pages") do
  loans = fines = 0
  Patron.where(kind: "junior", home_branch_id: [1, 2]).order(:name).each do |junior|
    loans += 1
    junior.loans.each do |loan|
      fines += 1
      loan.fines.sum(&:amount)
    end
  end
  Labels.expect_loop("from \"patrons\" where", "from \"loans\" where", loans)
  Labels.expect_loop("from \"loans\" where", "from \"fines\" where", fines)
end

# Letters to those who answer for a junior, who are patrons themselves.
Labels.scenario("guardian_letters") do
  asked = 0
  Patron.where(kind: "junior").order(:id).limit(70).each do |junior|
    asked += 1
    junior.guardian.email
  end
  Labels.expect_loop('from "patrons" where ("kind"', 'from "patrons" where "id"', asked)
end

# Languages by their codes: how many editions, and the newest.
Labels.scenario("language_shelf") do
  counts = newest = 0
  Language.order(:name).each do |language|
    counts += 1
    language.editions_dataset.count
    newest += 1
    language.editions_dataset.reverse(:published, :id).first
  end
  Labels.expect_loop("from \"languages\" order by", "select count(*) as \"count\" from \"editions\"", counts)
  Labels.expect_loop("from \"languages\" order by", "select * from \"editions\" where", newest)
end

# Loans as the members see them, loaded eagerly.
Labels.scenario("open_loans") do
  Loan.where(returned_on: nil).order(:due_on).limit(80).eager(:patron, :fines, copy: { edition: :work }).all do |loan|
    [loan.patron.name, loan.copy.edition.work.title, loan.fines.length]
  end
end

# Whoever waits for a popular work; two threads take turns with the pool's connections.
Labels.scenario("waiting_lists") do
  works = DB[:works].where { id <= 24 }.select(:id, :title).order(:id).all
  asked = names = 0
  counting = Mutex.new
  works.each_slice(works.size / 2).map do |part|
    Thread.new do
      part.each do |work|
        holds = DB[:holds].where(work_id: work[:id], ready_at: nil).select(:patron_id, :placed_at).order(:placed_at).all
        counting.synchronize { asked += 1 }
        holds.each do |hold|
          DB[:patrons].where(id: hold[:patron_id]).get(:name)
          counting.synchronize { names += 1 }
        end
      end
    end
  end.each(&:join)
  Labels.expect_loop("from \"works\" where", "from \"holds\" where", asked)
  Labels.expect_loop("from \"holds\" where", "from \"patrons\" where", names)
end

# A worker polls for jobs, one at a time; soon there are none left.
Labels.scenario("job_worker") do
  12.times do
    DB.transaction do
      job = DB[:jobs].where(state: "ready", kind: "reindex").order(:id).limit(1).for_update.skip_locked.first
      DB[:jobs].where(id: job[:id]).update(state: "done", attempts: Sequel[:attempts] + 1) if job
    end
    sleep 0.03
  end
end

# The subject and all above it, and all below, in one statement each.
Labels.scenario("subject_path") do
  [57, 120].each do |topic|
    base = DB[:subjects].where(id: topic)
    above = DB[:subjects].join(:path, parent_id: :id).select_all(:subjects)
    DB[:path].with_recursive(:path, base, DB[:subjects].join(:path, parent_id: Sequel[:subjects][:id]).select_all(:subjects)).all
    DB[:path].with_recursive(:path, base, above).all
  end
end

# Copies are bought in bulk, a hundred rows a statement.
Labels.scenario("bulk_purchase") do
  rows = (1..700).map { |i| ["S#{i.to_s.rjust(6, "0")}", 1 + i % 900, 1 + i % 9, 1 + i % 12, Date.new(2025, 6, 3)] }
  DB[:copies].import(%i[barcode edition_id branch_id shelf_number acquired_on], rows, commit_every: 100)
end

# Copies that are out, and who had each of them last.
Labels.scenario("last_borrowers") do
  asked = 0
  DB[:copies].where(branch_id: 7, status: "lent").order(:shelf_number, :barcode).select_map(:barcode).each do |barcode|
    DB[:loans].where(barcode: barcode).reverse(:lent_on, :id).select(:patron_id, :lent_on).first
    asked += 1
  end
  Labels.expect_loop("from \"copies\" where", "from \"loans\" where", asked)
end

Labels.main("sequel #{Sequel.version}")
