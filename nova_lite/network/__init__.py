"""Networks of servers on one host: bridges, taps, nftables and dnsmasq. Knows neither the API nor the hypervisor."""
