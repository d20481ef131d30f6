require "json"
require_relative "prices/price"

module Example
  # Sells.
  class Shop < Base::Store
    include Dated
    attr_reader :count, :limit

    LIMIT = 3

    def initialize(count, limit = 1)
      @count = count
    end

    def self.make(*args)
      new(*args)
    end

    class << self
      def other; end
    end

    def query? = true
  end
end

def top(x)
  x
end
