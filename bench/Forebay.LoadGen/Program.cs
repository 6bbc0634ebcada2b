namespace Forebay.LoadGen;

/// <summary>Load generator and generated source of the benchmarks. See README.md beside this file.</summary>
internal static class Program
{
    private const string Usage = """
        usage: forebay-loadgen COMMAND [--option value]...
          get      GET objects by k connections, for a time or a number of requests; prints JSON
          list     list a bucket to its end by ListObjectsV2; prints JSON
          mixed    tiny and huge objects, ranges and aborts, over many connections; prints JSON
          sign     write a wrk script of (signed) requests
          source   serve generated objects as a slow S3-compatible store
        The options of each command are in bench/Forebay.LoadGen/README.md.
        """;

    private static int Main(string[] args)
    {
        if (args.Length == 0)
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }

        try
        {
            Arguments arguments = new(args.AsSpan(1));
            return args[0] switch
            {
                "get" => Client.GetCommand.Run(arguments),
                "list" => Client.ListCommand.Run(arguments),
                "mixed" => Client.MixedCommand.Run(arguments),
                "sign" => Client.SignCommand.Run(arguments),
                "source" => Source.SourceCommand.Run(arguments),
                _ => throw new UsageException($"Unknown command '{args[0]}'."),
            };
        }
        catch (UsageException e)
        {
            Console.Error.WriteLine(e.Message);
            Console.Error.WriteLine(Usage);
            return 2;
        }
    }
}
