using System.Text.RegularExpressions;
using Xunit;

namespace Forebay.Core.Tests;

/// <summary>The shape of the source: which room may know which, and what every room has.</summary>
public sealed partial class ArchitectureTests
{
    private const int MostLines = 500;

    /// <summary>What each room may reference. A new room is added here on purpose, not by accident.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Core"] = [],
        ["Caching"] = ["Core"],
        ["UnderStores"] = ["Core"],
        ["Engine"] = ["Core", "Caching"],
        ["Fuse"] = ["Core"],
        ["FileSystem"] = ["Core", "Engine", "Fuse"],
        ["S3"] = ["Core", "Engine"],
        ["Admin"] = ["Core", "Engine"],
        ["DataPlane"] = ["Core", "Engine"],
        ["Mounting"] = ["Core", "Fuse"],
        ["Cli"] = ["Core", "Caching", "UnderStores", "Engine", "S3", "Admin", "Fuse", "FileSystem", "DataPlane", "Mounting"],
    };

    private static readonly string Source = FindSource();

    public static TheoryData<string> Rooms => [.. Directory.GetDirectories(Source).Where(room => Directory.GetFiles(room, "*.csproj").Length > 0).Select(room => Path.GetFileName(room)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Rooms))]
    public void ARoomReferencesOnlyRoomsBelowIt(string room)
    {
        string project = File.ReadAllText(Path.Combine(Source, room, $"{room}.csproj"));

        Assert.Empty(ReferenceFaults(room, project));
    }

    [Theory]
    [InlineData("Forebay.Core", "<ProjectReference Include=\"../Forebay.Engine/Forebay.Engine.csproj\" />", "must not reference Forebay.Engine")]
    [InlineData("Forebay.Caching", "<ProjectReference Include=\"../Forebay.Caching/Forebay.Caching.csproj\" />", "must not reference Forebay.Caching")]
    [InlineData("Forebay.S3", "<ProjectReference Include=\"../Forebay.Core/Forebay.Core.csproj\" /><ProjectReference Include=\"../Forebay.Admin/Forebay.Admin.csproj\" />", "must not reference Forebay.Admin")]
    [InlineData("Forebay.S3", "<ProjectReference Include=\"../../src/Forebay.Core/Forebay.Core.csproj\" />", "cannot be read")]
    [InlineData("Forebay.S3", "<ProjectReference Include=\"..\\Forebay.Cli\\Forebay.Cli.csproj\"></ProjectReference>", "cannot be read")]
    [InlineData("Forebay.Nowhere", "", "is new")]
    public void AWrongArrowIsReported(string room, string references, string fault)
        => Assert.Contains(fault, Assert.Single(ReferenceFaults(room, $"<Project Sdk=\"Microsoft.NET.Sdk\"><ItemGroup>{references}</ItemGroup></Project>")), StringComparison.Ordinal);

    [Fact]
    public void TheAllowedArrowsHaveNoCycle() => Assert.Empty(InCycles(Allowed));

    [Fact]
    public void ACycleIsReported()
        => Assert.Equal(["A", "B", "C"], InCycles(new(StringComparer.Ordinal) { ["Core"] = [], ["A"] = ["Core", "B"], ["B"] = ["C"], ["C"] = ["A"] }));

    [Theory]
    [MemberData(nameof(Rooms))]
    public void ARoomSaysWhatLivesInIt(string room)
        => Assert.True(File.Exists(Path.Combine(Source, room, "README.md")), $"{room} has no README.md.");

    [Fact]
    public void NothingIsNamedForWhatItIsNot()
    {
        IEnumerable<string> names = Files().SelectMany(path => Path.GetRelativePath(Source, path).Split('/', '.')).Distinct(StringComparer.Ordinal);

        Assert.DoesNotContain(names, name => Vague().IsMatch(name));
    }

    [Theory]
    [InlineData("Common", true)]
    [InlineData("Utils", true)]
    [InlineData("StringHelper", true)]
    [InlineData("CommonPrefixes", false)]
    [InlineData("SharedLock", false)]
    public void AVagueNameIsReported(string name, bool isVague) => Assert.Equal(isVague, Vague().IsMatch(name));

    [Fact]
    public void NoFileIsTooLongToReadAtOnce()
    {
        string[] tooLong = TooLong(Files().Select(path => (Path.GetRelativePath(Source, path), File.ReadLines(path).Count())));

        Assert.True(tooLong.Length == 0, $"split by role: {string.Join(", ", tooLong)}");
    }

    [Fact]
    public void AFileThatIsTooLongIsReported() => Assert.Equal(["b.cs: 501 lines"], TooLong([("a.cs", MostLines), ("b.cs", MostLines + 1)]));

    [Fact]
    public void EverythingIsLookedAt()
    {
        Assert.Contains(Rooms.Cast<object[]>(), row => row[0] is "Forebay.Core");
        Assert.Contains(Files(), path => path.EndsWith("Forebay.Core/ByteRange.cs", StringComparison.Ordinal));
    }

    private static IEnumerable<string> ReferenceFaults(string room, string project)
    {
        if (!Allowed.TryGetValue(NameOf(room), out string[]? allowed))
        {
            return [$"{room} is new: say in this test which rooms it may reference."];
        }

        string[] references = [.. ProjectReference().Matches(project).Select(match => match.Groups["room"].Value)];
        IEnumerable<string> faults = references.Where(reference => !allowed.Contains(reference, StringComparer.Ordinal)).Select(reference => $"{room} must not reference Forebay.{reference}; the arrows are in docs/ARCHITECTURE.md.");
        return project.Split("<ProjectReference").Length - 1 == references.Length ? faults : faults.Append($"a ProjectReference of {room} cannot be read: write <ProjectReference Include=\"../Forebay.X/Forebay.X.csproj\" />.");
    }

    /// <summary>Rooms that cannot be put into an order in which each comes behind those it references.</summary>
    private static string[] InCycles(Dictionary<string, string[]> arrows)
    {
        HashSet<string> reached = new(StringComparer.Ordinal);
        while (arrows.Keys.FirstOrDefault(room => !reached.Contains(room) && arrows[room].All(reached.Contains)) is { } next)
        {
            reached.Add(next);
        }

        return [.. arrows.Keys.Except(reached, StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    private static string[] TooLong(IEnumerable<(string Path, int Lines)> files) => [.. files.Where(file => file.Lines > MostLines).Select(file => $"{file.Path}: {file.Lines} lines")];

    private static IEnumerable<string> Files()
        => Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories).Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal));

    private static string NameOf(string room) => room[(room.IndexOf('.', StringComparison.Ordinal) + 1)..];

    private static string FindSource()
    {
        DirectoryInfo directory = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Forebay.slnx")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("the tests do not run inside the repository");
        }

        return Path.Combine(directory.FullName, "src");
    }

    [GeneratedRegex("""<ProjectReference Include="\.\./Forebay\.(?<room>\w+)/Forebay\.\k<room>\.csproj" */>""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ProjectReference();

    [GeneratedRegex("^(Common|Utils?|Utilities|Helpers?|Misc|Shared)$|(Utils|Utilities|Helpers?)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Vague();
}
