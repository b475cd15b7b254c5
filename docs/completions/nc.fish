complete -c nc -s s -l source -d 'Connect from this local address; with -l, listen on it' -r -f -a "(__fish_print_hostnames)"
complete -c nc -s p -l source-port -d 'Connect from this local port (HOST -p PORT: to PORT); with -l, listen on it' -r -f
complete -c nc -s x -d 'Connect through this proxy; several are passed in this order' -r -f -a "(__fish_print_hostnames)"
complete -c nc -s X -d 'What -x speaks: 4, 4a, 5 (the default) or connect' -r -f -a "4\t''
4a\t''
5\t''
connect\t''"
complete -c nc -s P -d 'User at the proxies; asks for the password' -r -f
complete -c nc -l proxy -d 'As -x, or URLs (socks5://USER@HOST:PORT), with commas between them' -r -f
complete -c nc -l proxy-type -d 'What --proxy speaks: http (the default), socks4, socks4a or socks5' -r -f -a "http\t''
socks4\t''
socks4a\t''
socks5\t''"
complete -c nc -l proxy-auth -d 'User and password at the proxies; they are safer in the variable NCAT_PROXY_AUTH' -r -f
complete -c nc -l proxy-auth-file -d 'As --proxy-auth, in FILE\'s first line; with -P the password alone' -r -F
complete -c nc -l proxy-dns -d 'Look names up local, remote (at the proxy, the default), in both, or none' -r -f -a "local\t''
remote\t''
both\t''
none\t''"
complete -c nc -l max-conns -d 'Serve at most N clients at a time; needs -k' -r -f
complete -c nc -l fd -d 'Listen on the socket that was inherited as descriptor N; implies -l' -r -f
complete -c nc -l port-file -d 'When clients may come, write the port into FILE; needs -l' -r -F
complete -c nc -l ready-fd -d 'When clients may come, write the port to descriptor N; needs -l' -r -f
complete -c nc -l max-parallelism -d 'Try at most N ports at a time; 1: strictly one after another. As all below, needs -z' -r -f
complete -c nc -l rate -d 'Try at most N ports a second' -r -f
complete -c nc -l probe -d 'With -u: ask this, bytes in hex (hex:00ff) or text, and not what suits the port' -r -f
complete -c nc -l banner -d 'Print what an open port says first, at most BYTES (1024) of it' -r -f
complete -c nc -l wait-until-open -d 'Go on until all ports are open, but not longer than TIME' -r -f
complete -c nc -l every -d 'Try a port again after TIME (200ms); needs --wait-until-open' -r -f
complete -c nc -l scan-exit -d 'Succeed if any port is open (the default), or only if all are' -r -f -a "any\t''
all\t''"
complete -c nc -s q -d 'As -N; with -l or -u, also quit SECS later. A negative number does nothing' -r -f
complete -c nc -l quit-after -d 'At the end of stdin, send the peer an end of file, and quit TIME later' -r -f
complete -c nc -s w -d 'Give up connecting after TIME, and quit when nothing moved or ended for TIME' -r -f
complete -c nc -s W -l recv-limit -d 'Quit after N reads from the peer' -r -f
complete -c nc -s i -l interval -d 'Wait for TIME after each line sent, and between ports' -r -f
complete -c nc -l limit-rate -d 'Relay at most RATE bytes a second each way (500k, 5M)' -r -f
complete -c nc -l udp-reply -d 'With -luk, send stdin to the peer heard last (the default), first, or to all' -r -f -a "last\t''
first\t''
all\t''"
complete -c nc -l udp-size -d 'Send at most N bytes in one datagram' -r -f
complete -c nc -l join -d 'Join a multicast group, GROUP or GROUP%IFACE; needs -lu; may be repeated' -r -f
complete -c nc -s I -l recv-buffer -d 'Size of the receive buffer in bytes' -r -f
complete -c nc -s O -l send-buffer -d 'Size of the send buffer in bytes' -r -f
complete -c nc -s M -l ttl -d 'Time to live of packets sent' -r -f
complete -c nc -s m -l min-ttl -d 'Least time to live of packets received' -r -f
complete -c nc -s T -l tos -d 'Type of service: a keyword (ef, af11, cs0, lowdelay, ...) or a number' -r -f
complete -c nc -l tcp-md5-file -d 'As -S; the password is FILE\'s first line' -r -F
complete -c nc -s V -d 'Routing table, which Linux does not have: an error' -r -f
complete -c nc -l keepalive -d 'Probe a silent peer, after SECS and every SECS' -r -f
complete -c nc -l interface -d 'Use this network interface only' -r -f
complete -c nc -l mark -d 'Mark packets for routing and filters' -r -f
complete -c nc -l user-timeout -d 'Give the peer up when it acknowledges nothing for TIME' -r -f
complete -c nc -l congestion -d 'Congestion control algorithm' -r -f
complete -c nc -l stats -d 'At the end of each connection, say on stderr what went through it, as text or json; SIGUSR1: now' -r -f
complete -c nc -l digest -d 'At the end of each connection, say what its bytes hash to, each way; NAME is sha256' -r -f
complete -c nc -s o -d 'Write what is sent and received to FILE, in hex as nc.traditional; -: to stderr' -r -F
complete -c nc -l hex-dump -d 'The same in the form of ncat' -r -F
complete -c nc -l output -d 'Write what is sent and received to FILE, as it is' -r -F
complete -c nc -l record -d 'Write packets to FILE, in pcapng for Wireshark' -r -F
complete -c nc -l trace -d 'Print the event loop as it turns: loop, io, state or all (the default)' -r -f
complete -c nc -l trace-json -d 'Write it to FILE as a timeline (Perfetto)' -r -F
complete -c nc -l sandbox -d 'Once set up, be able to open, connect to and run no more than needed: auto (the default), strict or off' -r -f -a "auto\t''
strict\t''
off\t''"
complete -c nc -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c nc -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c nc -s n -l nodns -d 'Hosts are given as numbers: look no name up, print none'
complete -c nc -s r -l random -d 'Try the ports in random order'
complete -c nc -s u -l udp -d 'Use UDP; with -U, datagrams'
complete -c nc -s U -l unixsock -d 'Use UNIX sockets: PATH in the place of HOST PORT, or @NAME, which is no file'
complete -c nc -l seqpacket -d 'As -U, with records (SOCK_SEQPACKET)'
complete -c nc -l vsock -d 'Use vsock: CID PORT in the place of HOST PORT; CID may be host, local or any'
complete -c nc -l mptcp -d 'Use Multipath TCP'
complete -c nc -s Z -l dccp -d 'Use DCCP, which Linux no longer has: an error'
complete -c nc -s l -l listen -d 'Wait for a connection instead of making one'
complete -c nc -s k -l keep-open -d 'Go on accepting clients, many at a time; needs -l'
complete -c nc -l exclusive -d 'Let no other program listen on the same port; needs -l'
complete -c nc -s z -l zero -d 'Find out which ports are open, many at a time; only -u sends something: a question'
complete -c nc -l json -d 'Print a JSON object for each port on stdout'
complete -c nc -s N -l shutdown -d 'At the end of stdin, send the peer an end of file'
complete -c nc -l no-shutdown -d 'Never send the peer an end of file'
complete -c nc -s d -l no-stdin -d 'Do not read stdin'
complete -c nc -l exit-on-close -d 'Quit at the peer\'s end of file, whatever stdin does (always so with -l)'
complete -c nc -l half-close -d 'Go on sending after the peer\'s end of file'
complete -c nc -l send-only -d 'Discard what the peer sends, quit at the end of stdin'
complete -c nc -l recv-only -d 'Do not read stdin, as -d'
complete -c nc -s C -l crlf -d 'Send each LF as CR LF'
complete -c nc -s t -l telnet -d 'Refuse telnet negotiation, and keep it from stdout'
complete -c nc -s F -l pass-fd -d 'Pass the connected socket over stdout, and quit'
complete -c nc -l sanitize -d 'Show control characters of the peer as escapes where stdout is a terminal'
complete -c nc -s b -l broadcast -d 'Allow to send to a broadcast address'
complete -c nc -l udp-line -d 'Send each line as one datagram, as with -C or -i'
complete -c nc -l no-loop -d 'Do not let this machine hear its own multicasts'
complete -c nc -s D -l so-debug -d 'Let the kernel debug the socket'
complete -c nc -s S -l tcp-md5 -d 'Sign with TCP MD5 (RFC 2385); asks for the password'
complete -c nc -l nodelay -d 'Do not hold small writes back (TCP_NODELAY)'
complete -c nc -l tcp-fastopen -d 'Use TCP Fast Open'
complete -c nc -l progress -d 'Show on stderr how far it is (unasked: of a file, on a terminal, after 1 s, and not with -vv)'
complete -c nc -l no-progress -d 'Never show it'
complete -c nc -l append-output -d 'Keep what is in the FILEs'
complete -c nc -l timestamps -d 'Write the time, the direction and the peer to -o and --hex-dump'
complete -c nc -l explain -d 'Say what each step of the program is for'
complete -c nc -s v -l verbose -d 'Say what happens, on stderr; twice: say more'
complete -c nc -s h -d 'Print this help on stderr'
complete -c nc -l help -d 'Print this help on stdout'
complete -c nc -l version -d 'Print the version on stdout'
