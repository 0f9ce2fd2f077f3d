"""TwelveLabs Marengo: text, pictures, sounds and whole videos to vectors of one space, by a paid service."""
