# Run with: plimsoll n-plus-one --findings -- rspec listing_spec.rb
require 'active_record'
require 'json'

class User < ActiveRecord::Base; end

class Order < ActiveRecord::Base
  belongs_to :user
end

# What Plimsoll found so far in this example; nothing without its recorder.
def findings
  JSON.parse(ActiveRecord::Base.connection.execute('SHOW plimsoll.findings').getvalue(0, 0))
rescue ActiveRecord::StatementInvalid => error
  raise unless error.cause.is_a?(PG::UndefinedObject)
  []
end

RSpec.configure do |config|
  config.before do |example|
    ActiveRecord::Base.establish_connection(ENV.fetch('DATABASE_URL'))
    db = ActiveRecord::Base.connection
    db.execute("CREATE TEMP TABLE users AS SELECT n AS id, 'user ' || n AS name FROM generate_series(101, 120) n")
    db.execute('CREATE TEMP TABLE orders AS SELECT n AS id, 101 + n * 7 % 20 AS user_id FROM generate_series(1, 12) n')
    db.execute("SET plimsoll.scope = #{db.quote(example.full_description)}")
  end
  config.after { ActiveRecord::Base.connection_pool.disconnect! }
end

RSpec.describe 'listing' do
  it 'is found to loop while the example runs' do
    ActiveRecord::Base.connection.execute('SET plimsoll.max_statements = 5')
    Order.order(:id).each { |order| order.user.name }
    expect(findings.map { |finding| finding['code'] }).to include('n-plus-one', 'too-many-statements')
  end

  it 'is found clean where it preloads' do
    expect(Order.order(:id).includes(:user).map { |order| order.user.name }.size).to eq(12)
    expect(findings.select { |finding| finding['severity'] == 'failure' }).to be_empty
  end
end
