# The staff pages of a city library, on Active Record.
require "active_record"
require "pg"
require_relative "../labels"

ActiveRecord::Base.establish_connection(url: Labels::URL, pool: 6)

class Branch < ActiveRecord::Base
  has_many :events
  has_many :copies
  has_many :loans
end

class Subject < ActiveRecord::Base
  has_many :works
end

class Author < ActiveRecord::Base
  has_many :authorships
  has_many :works, through: :authorships
end

class Authorship < ActiveRecord::Base
  self.primary_key = nil
  belongs_to :work
  belongs_to :author
end

class Work < ActiveRecord::Base
  belongs_to :subject
  has_many :authorships
  has_many :authors, through: :authorships
  has_many :editions
  has_many :holds
end

class Publisher < ActiveRecord::Base
  has_many :editions
end

class Edition < ActiveRecord::Base
  belongs_to :work
  belongs_to :publisher, optional: true
  has_many :copies
end

class Copy < ActiveRecord::Base
  self.primary_key = "barcode"
  belongs_to :edition
  belongs_to :branch
  has_many :loans, foreign_key: :barcode
end

class Patron < ActiveRecord::Base
  belongs_to :home_branch, class_name: "Branch"
  belongs_to :guardian, class_name: "Patron", optional: true
  has_many :cards
  has_many :loans
end

class Card < ActiveRecord::Base
  self.primary_key = "number"
end

class Loan < ActiveRecord::Base
  belongs_to :copy, foreign_key: :barcode
  belongs_to :patron
  belongs_to :branch
  has_many :fines
  scope :out, -> { where(returned_on: nil) }
end

class Fine < ActiveRecord::Base
  belongs_to :loan
end

class Hold < ActiveRecord::Base
  belongs_to :work
  belongs_to :patron
end

class Staff < ActiveRecord::Base
  self.table_name = "staff"
end

class Booking < ActiveRecord::Base
  self.primary_key = nil
  belongs_to :patron
end

class Event < ActiveRecord::Base
  belongs_to :branch
  belongs_to :host, class_name: "Staff", optional: true
  has_many :bookings
end

class Note < ActiveRecord::Base
  belongs_to :about, polymorphic: true
  belongs_to :staff
end

# A JSON list in which every work asks for its subject and its authors.
Labels.scenario("work_list") do
  subjects = authors = 0
  Work.where("first_published >= ?", 1985).order(:title).limit(40).map do |work|
    subjects += 1
    subject = work.subject.name
    authors += 1
    { title: work.title, subject: subject, authors: work.authors.map(&:name) }
  end
  Labels.expect_loop('from "works" where (first_published', 'from "subjects" where', subjects)
  Labels.expect_loop('from "works" where (first_published', 'from "authors" inner join', authors)
end

# The same list with everything loaded beforehand.
Labels.scenario("work_list_preloaded") do
  Work.includes(:subject, :authors, editions: %i[publisher copies]).order(:title).limit(40).each do |work|
    work.subject.name
    work.authors.map(&:name)
    work.editions.each { |edition| [edition.publisher&.name, edition.copies.count { |copy| copy.status == "lent" }] }
  end
end

# Numbers for each branch: the counts are asked of the database.
Labels.scenario("branch_numbers") do
  copies = loans = events = 0
  Branch.order(:code).each do |branch|
    copies += 1
    branch.copies.where(status: "repair").count
    loans += 1
    branch.loans.out.exists?
    events += 1
    branch.events.maximum(:starts_at)
  end
  Labels.expect_loop('from "branches" order by', 'count(*) from "copies"', copies)
  Labels.expect_loop('from "branches" order by', 'one from "loans"', loans)
  Labels.expect_loop('from "branches" order by', 'from "events" where', events)
end

# Notes of one librarian, whatever they are about.
Labels.scenario("note_archive") do
  asked = Hash.new(0)
  Note.where(staff_id: [3, 8, 13]).order(:created_at).each do |note|
    asked[note.about_type] += 1
    note.about.id
  end
  Labels.expect_loop('from "notes" where', 'from "works" where', asked["Work"])
  Labels.expect_loop('from "notes" where', 'from "patrons" where', asked["Patron"])
  Labels.expect_loop('from "notes" where', 'from "events" where', asked["Event"])
end

# All authors in batches, each with the works written.
Labels.scenario("author_file") do
  first = later = 0
  Author.find_in_batches(batch_size: 30).with_index do |authors, batch|
    authors.each do |author|
      batch.zero? ? first += 1 : later += 1
      author.works.map(&:title).sort
    end
  end
  Labels.expect_loop('from "authors" order by', 'from "works" inner join', first)
  Labels.expect_loop('from "authors" where "authors"."id" >', 'from "works" inner join', later)
end

# All patrons in batches, with the cards loaded for each batch.
Labels.scenario("card_report") do
  Patron.includes(:cards, :home_branch).find_each(batch_size: 60) do |patron|
    [patron.name, patron.home_branch.name, patron.cards.map(&:number)]
  end
end

# The desk's list within the query cache of a request: a branch or a patron is only asked for once.
Labels.scenario("desk_list") do
  patrons = Set.new
  branches = Set.new
  ActiveRecord::Base.cache do
    Loan.out.order(:due_on, :id).limit(50).each do |loan|
      loan.patron.name
      patrons << loan.patron_id
      loan.branch.name
      branches << loan.branch_id
    end
  end
  Labels.expect_loop('from "loans" where', 'from "patrons" where', patrons.size)
  Labels.expect_loop('from "loans" where', 'from "branches" where', branches.size)
end

# Reminders for the guests of each event, prepared by three threads.
Labels.scenario("event_reminders") do
  events = Queue.new
  Event.where(starts_at: Time.utc(2025, 6, 10)..Time.utc(2025, 6, 24)).order(:starts_at).each { |event| events << event }
  events.close
  lists = patrons = 0
  counting = Mutex.new
  Array.new(3) do
    Thread.new do
      ActiveRecord::Base.connection_pool.with_connection do
        while (event = events.pop)
          bookings = event.bookings.order(:booked_at).to_a
          counting.synchronize { lists += 1 }
          bookings.each do |booking|
            booking.patron.email
            counting.synchronize { patrons += 1 }
          end
        end
      end
    end
  end.each(&:join)
  Labels.expect_loop('from "events" where', 'from "bookings" where', lists)
  Labels.expect_loop('from "bookings" where', 'from "patrons" where', patrons)
end

# A test that lends and returns, and leaves nothing behind.
Labels.scenario("lending_test") do
  Loan.transaction do
    patron = Patron.create!(id: 9001, name: "Test", kind: "adult", home_branch_id: 2)
    loan = Loan.create!(barcode: "C000011", patron_id: patron.id, branch_id: 3, lent_on: "2025-06-01", due_on: "2025-06-29")
    loan.update!(renewals: 1)
    raise "not lent" unless patron.loans.out.count == 1
    loan.update!(returned_on: "2025-06-20")
    raise "not returned" if patron.loans.out.exists?
    raise ActiveRecord::Rollback
  end
end

Labels.main("activerecord #{ActiveRecord.version}")
