function globally(x) end
settings = { a = 1 }
function settings.read() end
