namespace Forebay.Cli.Configuration;

/// <summary>One thing that is wrong with what a node was told.</summary>
/// <param name="Where"><c>file:line</c>, a flag, or the name of an environment variable.</param>
/// <param name="What">What is wrong and the remedy; never holds a secret.</param>
/// <param name="Line">Line in the file, for the order of the list; 0 outside of files.</param>
internal sealed record Fault(string Where, string What, int Line)
{
    public override string ToString() => $"{Where}: {What}";
}

/// <summary>Collects everything that is wrong, so that a person mends it in one go.</summary>
internal sealed class Faults
{
    /// <summary>More would only be noise; a file that is not a configuration at all must not fill the screen.</summary>
    public const int MaxFaults = 100;

    private readonly List<Fault> _faults = [];
    private readonly List<Fault> _warnings = [];

    /// <summary>All faults, those of the file by line, then the others in the order they were met.</summary>
    public IReadOnlyList<Fault> All => [.. _faults.OrderBy(fault => fault.Line == 0 ? int.MaxValue : fault.Line)];

    /// <summary>What does not stop the node but should be known.</summary>
    public IReadOnlyList<Fault> Warnings => _warnings;

    public bool Any => _faults.Count > 0;

    public void Add(Place place, string what)
    {
        if (_faults.Count < MaxFaults)
        {
            _faults.Add(new Fault(place.Where, what, place.Line));
        }
    }

    public void Warn(Place place, string what) => _warnings.Add(new Fault(place.Where, what, place.Line));
}

/// <summary>Where a setting was made.</summary>
/// <param name="Where">As people see it: <c>forebay.yaml:7</c>, <c>--cache</c>, <c>FOREBAY_S3_ADDRESS</c>.</param>
/// <param name="Line">Line in the file, 0 elsewhere.</param>
internal readonly record struct Place(string Where, int Line)
{
    public static Place InFile(string file, int line) => new($"{file}:{line}", line);

    public static Place Outside(string name) => new(name, 0);
}
