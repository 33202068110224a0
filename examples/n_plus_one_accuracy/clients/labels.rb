# Scenarios of a Ruby client: a name each, and what is known to happen in it.
# `program list` prints the names; `program run NAME FILE` runs one and writes
# its labels. N is reckoned from the rows, by whoever wrote the loop.

module Labels
  URL = ENV.fetch("DATABASE_URL", "postgres://nobody@localhost:1/none")
  THRESHOLD = 5
  SCENARIOS = {}
  FOUND = []

  module_function

  def scenario(name, &page) = SCENARIOS[name] = page

  # The child is asked n times for rows of the parent; both are pieces of their texts.
  def expect_loop(parent, child, n) = n >= THRESHOLD && FOUND << "loop\t#{parent}\t#{child}\t#{n}\n"

  def main(versions)
    verb, name, file = ARGV
    if verb == "list"
      puts "version\t#{versions}"
      SCENARIOS.each_key { |known| puts "scenario\t#{known}" }
    else
      SCENARIOS.fetch(name).call
      File.write(file, FOUND.join)
    end
  end
end
