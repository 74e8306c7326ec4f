DROP TABLE sender_filters;
DROP TABLE sender_filter_modes;
DROP TABLE sending_domains;
