DROP TABLE limit_increases;
DROP TABLE provider_tests;
DROP TABLE providers;
